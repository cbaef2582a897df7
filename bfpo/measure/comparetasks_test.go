package measure

import (
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

// The comparison leaves out answers that a judge could not rate before or after training, and pairs the others by their
// document.
func TestCompareTasksUnjudged(t *testing.T) {
	results := func(metrics ...evaluate.MetricResult) evaluate.Results {
		return evaluate.Results{Tasks: []evaluate.TaskResult{{Name: "beaver", Metrics: metrics}}}
	}
	metric := func(values []float64, documents ...int) evaluate.MetricResult {
		return evaluate.MetricResult{Name: "llama2", Values: values, Documents: documents, HigherIsBetter: true}
	}
	rows := CompareTasks(
		results(metric([]float64{0, 1, 0, 1}, 0, 1, 3, 4)),
		results(metric([]float64{0, 1, 1, 1}, 1, 2, 3, 4)))
	if len(rows) != 1 {
		t.Fatalf("%d rows, want 1", len(rows))
	}
	// Documents 1, 3 and 4 have both values: 1 → 0, 0 → 1 and 1 → 1.
	r := rows[0]
	if r.Before.N != 3 || r.Before.Mean*3 != 2 || r.After.Mean*3 != 2 || r.Change.Mean != 0 || r.Change.StdErr == 0 {
		t.Errorf("%+v", r)
	}
	if rows := CompareTasks(results(metric([]float64{0}, 1)), results()); len(rows) != 0 {
		t.Errorf("no answer was judged after training: %+v", rows)
	}
	if rows := CompareTasks(results(metric([]float64{0}, 1)), results(metric([]float64{1}, 2))); len(rows) != 0 {
		t.Errorf("no document was judged on both sides: %+v", rows)
	}
}
