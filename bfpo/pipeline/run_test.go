package pipeline

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// TestEvaluationRowsFirst checks that the rows and prompts of an evaluation are read before anything is trained: a
// wrong path ends the run at once, and dropped rows and prompts of text are named.
func TestEvaluationRowsFirst(t *testing.T) {
	folder := t.TempDir()
	const pair = `{"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], ` +
		`"rejected": [{"role": "assistant", "content": "c"}], "is_chosen_safe": true, "is_rejected_safe": false}` + "\n"
	for name, text := range map[string]string{
		"pairs.jsonl": pair, "held-out.jsonl": pair + `{"prompt": "a", "chosen": "b"}` + "\n", "prompts.txt": "Hi\n",
		"recipe.yaml": "model_name_or_path: tiny\nstages:\n" +
			"- train: {dataset_mixer: {./pairs.jsonl: 1}, max_steps: 1}\n" +
			"- eval: {dataset_mixer: {./HELDOUT: 1}, prompts: ./PROMPTS}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	device := graphtest.GoDevice(t)
	run := func(heldOut, prompts string) (trained bool, text string) {
		data, err := os.ReadFile(filepath.Join(folder, "recipe.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "run.yaml")
		text = strings.NewReplacer("HELDOUT", heldOut, "PROMPTS", prompts).Replace(string(data))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := recipe.Load(nil, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		var notices bytes.Buffer
		rt := models.Runtime{Device: device, Hub: &hub.Hub{Offline: true}, Out: &notices, Results: io.Discard}
		out := filepath.Join(t.TempDir(), "out")
		if err := Run(t.Context(), rt, c, out); err != nil {
			text = err.Error()
		} else {
			text = notices.String()
		}
		return recipe.PathExists(filepath.Join(out, "1-bfpo")), text
	}
	for _, test := range []struct {
		heldOut, prompts string
		trained          bool
		want             []string
	}{
		{"missing.jsonl", "prompts.txt", false, []string{"stage 2 (eval): held out set: data set", "missing.jsonl: no such"}},
		{"held-out.jsonl", "missing.txt", false, []string{"stage 2 (eval): prompts: data set", "missing.txt: no such"}},
		{"held-out.jsonl", "prompts.txt", true, []string{"held out: 1 rows", "no column rejected",
			"1 of 1 prompts are texts"}},
	} {
		trained, text := run(test.heldOut, test.prompts)
		for _, want := range test.want {
			if !strings.Contains(text, want) || trained != test.trained {
				t.Errorf("%s, %s: trained %v, %q is missing in\n%s", test.heldOut, test.prompts, trained, want, text)
			}
		}
	}
}
