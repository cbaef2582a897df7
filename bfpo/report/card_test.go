package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/bfpo-go/bfpo/bfpo"
)

func writeCard(t *testing.T, c Card) (front map[string]any, body string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "README.md")
	if err := WriteCard(path, c); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(string(text), "---\n", 3)
	if len(parts) != 3 || parts[0] != "" {
		t.Fatalf("no front matter:\n%s", text)
	}
	if err := yaml.Unmarshal([]byte(parts[1]), &front); err != nil {
		t.Fatal(err)
	}
	return front, parts[2]
}

func TestCard(t *testing.T) {
	front, body := writeCard(t, Card{
		Name: "tiny-bfpo", Base: "HuggingFaceTB/SmolLM2-135M-Instruct", License: "apache-2.0",
		Datasets:  []string{"PKU-Alignment/PKU-SafeRLHF@ff7ba91", "quickstart/main.jsonl", "quickstart/safety", "./local"},
		Objective: bfpo.Objective{Name: "bfpo", Beta: 0.01, B1: 3, Alpha: 0.5}, Trained: "down_proj",
		Settings:   []Fact{{"learning rate", "5e-7"}, {"odd | <name>", "a\nb"}},
		Comparison: sampleComparison(), Version: "v0.1",
	})
	want := map[string]any{
		"base_model": "HuggingFaceTB/SmolLM2-135M-Instruct", "license": "apache-2.0",
		"library_name": "transformers", "pipeline_tag": "text-generation",
		"datasets": []any{"PKU-Alignment/PKU-SafeRLHF"}, "tags": []any{"bfpo", "alignment"},
	}
	if diff := cmp.Diff(want, front); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{
		"# tiny-bfpo\n", "β = 0.01, b₁ = 3, α = 0.5", "- `quickstart/main.jsonl`", "| learning rate | 5e-7 |",
		`| odd \| &lt;name> | a; b |`, "| safe over unsafe: accuracy, % | 12 | 33.3 ± 14.2 |", "arxiv.org/abs/2408.15313",
		"Wenxuan Zhang and Philip H.S. Torr and Mohamed Elhoseiny and Adel Bibi",
		"with bfpo v0.1.",
	} {
		if !strings.Contains(body, part) {
			t.Errorf("the card lacks %q:\n%s", part, body)
		}
	}
}

func TestCardOfLocalModel(t *testing.T) {
	front, body := writeCard(t, Card{Name: "x", Base: "./models/my base", Objective: bfpo.Objective{Name: "sft"}})
	want := map[string]any{
		"library_name": "transformers", "pipeline_tag": "text-generation", "tags": []any{"sft", "alignment", "bfpo"},
	}
	if diff := cmp.Diff(want, front); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(body, "## Results") || strings.Contains(body, "## Settings") || strings.Contains(body, "\n\n\n") {
		t.Error(body)
	}
}

// TestCardFolder checks that the card of a run's folder names the subfolder with the weights, and theirs does not.
func TestCardFolder(t *testing.T) {
	run := t.TempDir()
	if err := os.Mkdir(filepath.Join(run, "model"), 0o755); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{
		run:                         "PATH_OF_THIS_FOLDER/model",
		filepath.Join(run, "model"): "PATH_OF_THIS_FOLDER",
	} {
		path := filepath.Join(folder, "README.md")
		if err := WriteCard(path, Card{Name: "x", Objective: bfpo.Objective{Name: "sft"}}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		for _, line := range []string{"bfpo chat -model=" + want + "\n", "folder = \"" + want + "\"\n"} {
			if err != nil || !strings.Contains(string(text), line) {
				t.Errorf("%s: %v, no %q in\n%s", folder, err, line, text)
			}
		}
	}
}

// No path of this machine gets into a card: models and files are named by their own names, and the model that training
// began with is found through the runs before.
func TestCardHasNoPaths(t *testing.T) {
	root := t.TempDir()
	model := filepath.Join(root, "1-sft", "model")
	if err := os.MkdirAll(model, 0o755); err != nil {
		t.Fatal(err)
	}
	text := []byte("model_name_or_path: smollm2-135m-instruct\n")
	if err := os.WriteFile(filepath.Join(root, "1-sft", "config.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	front, body := writeCard(t, Card{
		Name: "x", Base: model,
		Datasets:  []string{filepath.Join(root, "rows.jsonl"), "../other/pairs.parquet", "org/set@main"},
		Objective: bfpo.Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5},
	})
	if got := front["base_model"]; got != "HuggingFaceTB/SmolLM2-135M-Instruct" {
		t.Errorf("base_model %v", got)
	}
	for _, want := range []string{"Trained from `1-sft`", "- `rows.jsonl`", "- `pairs.parquet`", "- `org/set@main`"} {
		if !strings.Contains(body, want) {
			t.Errorf("the card lacks %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, root) || strings.Contains(body, "../") {
		t.Errorf("the card names a path:\n%s", body)
	}
}

// The card of a model that was exported as it is names its base and no loss.
func TestCardWithoutTraining(t *testing.T) {
	front, body := writeCard(t, Card{Name: "x", Base: "org/model@rev"})
	want := map[string]any{
		"base_model": "org/model", "library_name": "transformers", "pipeline_tag": "text-generation", "tags": []any{"bfpo"},
	}
	if diff := cmp.Diff(want, front); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(body, "Exported from `org/model@rev` with bfpo; the weights are the same.") ||
		strings.Contains(body, "L = ") || strings.Contains(body, "\n\n\n") {
		t.Error(body)
	}
}

func TestModelName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "tiny": "tiny", "org/model@rev": "org/model@rev", "/a/b/model.gguf": "model.gguf", "./my-model": "my-model",
		"/runs/quickstart/2-bfpo/model": "2-bfpo",
	} {
		if got := ModelName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
