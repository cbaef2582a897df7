package evaluate

import (
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/metric"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// arrange puts the outcomes of chunks into the order of tasks and documents.
func (p *Plan) arrange(done map[int][]outcome) [][]outcome {
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

// measured is a task with its numbers.
type measured struct {
	values   []map[string]float64 // of each document, by the metric's name; a document that was not judged lacks it
	verdicts []judge.Verdict      // nil without a judge
}

// measure computes the metrics of all documents.
func (r Run) measure(outcomes [][]outcome, verdicts [][]judge.Verdict) []measured {
	all := make([]measured, len(r.Plan.tasks))
	for i, t := range r.Plan.tasks {
		metrics := r.metrics(t.Task)
		all[i].verdicts = verdicts[i]
		for j, d := range t.documents {
			values := map[string]float64{}
			var similar map[string]float64
			if d.Correct != nil {
				similar = metric.CompareAnswer(outcomes[i][j].Answer, d.Correct, d.Incorrect)
			}
			for k, m := range metrics {
				switch {
				case m.Judged():
					if verdicts[i] != nil && verdicts[i][j].Judged {
						values[m.Name] = verdicts[i][j].Score
					}
				case t.Output == task.GenerateUntil:
					values[m.Name] = similar[m.Kind]
				default:
					values[m.Name] = metric.ScoreChoices(m.Kind, d.Choices, d.Gold, d.Labels[k], outcomes[i][j].LogLikelihoods)
				}
			}
			all[i].values = append(all[i].values, values)
		}
	}
	return all
}

// of are the values of one metric and the numbers of the documents that have it.
func (m measured) of(name string) (values []float64, documents []int) {
	for i, all := range m.values {
		if v, ok := all[name]; ok {
			values, documents = append(values, v), append(documents, i)
		}
	}
	return values, documents
}
