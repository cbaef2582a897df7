package measure

import (
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

// CompareTasks compares the metrics of the same tasks over the documents that have the metric before and after
// training.
func CompareTasks(before, after evaluate.Results) (rows []report.ComparisonRow) {
	for i, task := range before.Tasks {
		for _, b := range task.Metrics {
			isSame := func(m evaluate.MetricResult) bool { return m.Name == b.Name }
			k := slices.IndexFunc(after.Tasks[i].Metrics, isSame)
			if k < 0 { // the judge could rate no answer after training
				continue
			}
			better := report.LowerIsBetter
			if b.HigherIsBetter {
				better = report.HigherIsBetter
			}
			if was, is := commonValues(b, after.Tasks[i].Metrics[k]); len(was) > 0 {
				rows = append(rows, report.NewComparisonRow(task.Name, b.Name, "", better, was, is))
			}
		}
	}
	return rows
}

// commonValues returns the values of a metric for the documents that have it in both results, in the same order.
func commonValues(before, after evaluate.MetricResult) (was, is []float64) {
	for i, document := range before.Documents {
		if k, found := slices.BinarySearch(after.Documents, document); found {
			was, is = append(was, before.Values[i]), append(is, after.Values[k])
		}
	}
	return was, is
}
