package evaluate

import (
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// outcomesByTask puts the outcomes of all chunks into the order of tasks and documents.
func outcomesByTask(p *Plan, done map[int][]outcome) [][]outcome {
	outcomes := make([][]outcome, len(p.tasks))
	for i, t := range p.tasks {
		outcomes[i] = make([]outcome, len(t.documents))
	}
	for i, c := range p.chunks {
		for k, at := range c.places {
			outcomes[at.task][at.document] = done[i][k]
		}
	}
	return outcomes
}

// measuredTask holds the metrics of a task's documents.
type measuredTask struct {
	metrics  []task.Metric        // under the names that they have in results
	values   []map[string]float64 // of each document, by metric name; without a verdict the judged metric is missing
	verdicts []judge.Verdict      // of each document; nil if none was asked for
}

// measureTasks computes the metrics of all documents. rater may be nil.
func measureTasks(p *Plan, rater judge.Judge, outcomes [][]outcome, verdicts [][]judge.Verdict) []measuredTask {
	all := make([]measuredTask, len(p.tasks))
	for i, t := range p.tasks {
		all[i].metrics, all[i].verdicts = namedMetrics(t.Task, rater), verdicts[i]
		for j, d := range t.documents {
			values := map[string]float64{}
			var similarities map[string]float64
			if d.Correct != nil {
				similarities = metric.CompareAnswer(outcomes[i][j].Answer, d.Correct, d.Incorrect)
			}
			for k, m := range all[i].metrics {
				switch {
				case m.Judged():
					if verdicts[i] != nil && verdicts[i][j].Judged {
						values[m.Name] = verdicts[i][j].Score
					}
				case t.Output == task.GenerateUntil:
					values[m.Name] = similarities[m.Kind]
				default:
					ll := outcomes[i][j].LogLikelihoods
					values[m.Name] = metric.ScoreChoices(m.Kind, d.Choices, d.Gold, d.Labels[k], ll)
				}
			}
			all[i].values = append(all[i].values, values)
		}
	}
	return all
}

// namedMetrics returns a task's metrics under their names in results: a judge names the metric that it computes.
func namedMetrics(t task.Task, rater judge.Judge) []task.Metric {
	metrics := slices.Clone(t.Metrics)
	for i, m := range metrics {
		if m.Judged() && rater != nil {
			metrics[i] = rater.Metric(m)
		}
	}
	return metrics
}

// valuesOf returns the values of one metric, and the numbers of the documents that have it.
func (m measuredTask) valuesOf(name string) (values []float64, documents []int) {
	for i, byName := range m.values {
		if v, ok := byName[name]; ok {
			values, documents = append(values, v), append(documents, i)
		}
	}
	return values, documents
}
