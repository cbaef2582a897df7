package evaluate

import (
	"context"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// judge has the answers of the tasks that need it rated, except those that the journal has verdicts for.
func (r Run) judge(ctx context.Context, j *journal, outcomes [][]outcome) ([][]judge.Verdict, error) {
	verdicts := make([][]judge.Verdict, len(outcomes))
	if r.Judge == nil {
		return verdicts, nil
	}
	p := r.begun(j)
	for i, t := range r.Plan.tasks {
		if !t.Judged() {
			continue
		}
		var err error
		if verdicts[i], err = r.judgeTask(ctx, j, i, outcomes[i], &p); err != nil {
			return nil, fmt.Errorf("task %s: judge: %w", t.Name, err)
		}
	}
	return verdicts, nil
}

// judgeTask has the answers of one task rated.
func (r Run) judgeTask(ctx context.Context, j *journal, task int, outcomes []outcome, p *Progress) ([]judge.Verdict, error) {
	t := r.Plan.tasks[task]
	known := j.judged(r.Judge.Digest(), task)
	verdicts := make([]judge.Verdict, len(t.documents))
	var answers []judge.Answer
	var numbers []int // of the answers' documents
	for i, d := range t.documents {
		if v, ok := known[i]; ok {
			verdicts[i] = v
			continue
		}
		answers = append(answers, judge.Answer{Task: t.Name, Document: d.ID, Reference: d.Target, Answer: outcomes[i].Answer})
		numbers = append(numbers, i)
	}
	if len(answers) == 0 {
		return verdicts, nil
	}
	rated := 0
	err := r.Judge.Rate(ctx, answers, func(first int, some ...judge.Verdict) error {
		for i, v := range some {
			verdicts[numbers[first+i]] = v
		}
		rated += len(some)
		p.Judged += len(some)
		r.progress(*p)
		return j.addVerdicts(r.Judge.Digest(), task, numbers[first:first+len(some)], some)
	})
	if err == nil && rated != len(answers) {
		err = fmt.Errorf("%d verdicts on %d answers", rated, len(answers))
	}
	return verdicts, err
}

// metrics are a task's, under the names that they have in results.
func (r Run) metrics(t task.Task) []task.Metric {
	metrics := slices.Clone(t.Metrics)
	for i, m := range metrics {
		if m.Judged() && r.Judge != nil {
			metrics[i] = r.Judge.Metric(m)
		}
	}
	return metrics
}
