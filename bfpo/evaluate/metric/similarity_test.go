package metric

import (
	"math"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/sharedtest"
)

// BLEU and ROUGE equal those of sacrebleu and rouge_score.
func TestCompareAnswerGolden(t *testing.T) {
	var g struct {
		Docs []struct {
			Completion string
			Correct    []string `json:"correct_answers"`
			Incorrect  []string `json:"incorrect_answers"`
			Metrics    map[string]float64
		}
	}
	sharedtest.ReadJSON(t, &g, "golden-eval", "truthfulqa_gen_metrics.json")
	for i, d := range g.Docs {
		got := CompareAnswer(d.Completion, CompleteReferences(d.Correct, true), CompleteReferences(d.Incorrect, false))
		if len(got) != len(d.Metrics) {
			t.Errorf("document %d: %d metrics, want %d", i, len(got), len(d.Metrics))
		}
		for name, want := range d.Metrics {
			if math.Abs(got[name]-want) > 1e-6 {
				t.Errorf("document %d: %s is %g, want %g", i, name, got[name], want)
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
