package metric

import (
	"math"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/sharedtest"
)

// BLEU and ROUGE are those of sacrebleu and rouge_score.
func TestSimilarityGolden(t *testing.T) {
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
