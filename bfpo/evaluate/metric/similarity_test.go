package metric

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// BLEU and ROUGE equal those of sacrebleu and rouge_score, on the project's own texts and, where $BFPO_SHARED has them,
// on real ones.
func TestCompareAnswerGolden(t *testing.T) {
	folders := []string{filepath.Join("..", "testdata", "golden")}
	if os.Getenv(fixture.EnvShared) != "" {
		folders = append(folders, fixture.Shared(t, "golden-eval"))
	}
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "truthfulqa_gen_metrics.json"))
		if err != nil {
			t.Fatal(err)
		}
		var g struct {
			Docs []struct {
				Completion string
				Correct    []string `json:"correct_answers"`
				Incorrect  []string `json:"incorrect_answers"`
				Metrics    map[string]float64
			}
		}
		if err := json.Unmarshal(text, &g); err != nil || len(g.Docs) == 0 {
			t.Fatalf("%s: %d documents, %v", folder, len(g.Docs), err)
		}
		for i, d := range g.Docs {
			got := CompareAnswer(d.Completion, CompleteReferences(d.Correct, true), CompleteReferences(d.Incorrect, false))
			if len(got) != len(d.Metrics) {
				t.Errorf("%s, document %d: %d metrics, want %d", folder, i, len(got), len(d.Metrics))
			}
			for name, want := range d.Metrics {
				if math.Abs(got[name]-want) > 1e-6 {
					t.Errorf("%s, document %d: %s is %g, want %g", folder, i, name, got[name], want)
				}
			}
		}
	}
}

func TestCompleteReferences(t *testing.T) {
	got := CompleteReferences([]string{" Yes", "", " \n", "No.", "I have no comment"}, true)
	if want := []string{"Yes.", "No.", "I have no comment."}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	correct, incorrect := CompleteReferences([]string{"a"}, true), CompleteReferences([]string{"a"}, false)
	if len(correct) != 2 || len(incorrect) != 1 {
		t.Errorf("correct %q, incorrect %q", correct, incorrect)
	}
}
