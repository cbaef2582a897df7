package pipeline

import (
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

// Answers that a judge could not rate before or after are left out of the comparison, and each other one meets its own.
func TestCompareTasksUnjudged(t *testing.T) {
	of := func(metrics ...evaluate.MetricResult) evaluate.Results {
		return evaluate.Results{Tasks: []evaluate.TaskResult{{Name: "beaver", Metrics: metrics}}}
	}
	metric := func(values []float64, documents ...int) evaluate.MetricResult {
		return evaluate.MetricResult{Name: "llama2", Values: values, Documents: documents, HigherIsBetter: true}
	}
	rows := compareTasks(of(metric([]float64{0, 1, 0, 1}, 0, 1, 3, 4)), of(metric([]float64{0, 1, 1, 1}, 1, 2, 3, 4)))
	if len(rows) != 1 || rows[0].Before.N != 3 || rows[0].Before.Mean*3 != 2 || rows[0].After.Mean*3 != 2 || rows[0].Change.Mean != 0 ||
		rows[0].Change.StdErr == 0 { // document 1 falls, document 3 rises
		t.Errorf("%+v", rows)
	}
	if rows := compareTasks(of(metric([]float64{0}, 1)), of()); len(rows) != 0 {
		t.Errorf("no answer judged after: %+v", rows)
	}
	if rows := compareTasks(of(metric([]float64{0}, 1)), of(metric([]float64{1}, 2))); len(rows) != 0 {
		t.Errorf("no document judged twice: %+v", rows)
	}
}
