package bfpo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

// measureTasks evaluates one model on the stage's tasks, in the folder eval/side. What a stopped run has computed there is not computed
// again.
func (p *pipeline) measureTasks(ctx context.Context, e EvalStage, model, side string) (results evaluate.Results, err error) {
	dir := filepath.Join(p.dir, "eval", side)
	tasks, err := FindTasks(e.Tasks, e.Include, p.notice)
	if err != nil {
		return results, err
	}
	tasks = append(tasks, p.tasks...)
	if !p.resume || len(tasks) == 0 {
		err = evaluate.Remove(dir) // of a run that was stopped or is replaced
	}
	if err != nil || len(tasks) == 0 {
		return results, err
	}
	judge, err := OpenJudge(ctx, p.Runtime, e.Judge)
	if err != nil {
		return results, err
	}
	if judge != nil {
		defer judge.Close()
	}
	c := p.config
	c.Model = model
	what := Evaluation{Tasks: tasks, Data: e.Data, Limit: e.Limit, Chat: e.ApplyChatTemplate}
	results, err = measure(ctx, p.Runtime, c, what, judge, dir, true)
	if errors.Is(err, evaluate.ErrDifferentEvaluation) { // the recipe was changed meanwhile
		if err = evaluate.Remove(dir); err == nil {
			results, err = measure(ctx, p.Runtime, c, what, judge, dir, true)
		}
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: what is evaluated so far is in %s", ErrInterrupted, dir)
	}
	return results, err
}

// compareTasks compares the tasks' metrics document by document, over the documents that have the metric before and after.
func compareTasks(before, after evaluate.Results) (rows []ComparisonRow) {
	for i, t := range before.Tasks {
		for _, b := range t.Metrics {
			k := slices.IndexFunc(after.Tasks[i].Metrics, func(m evaluate.MetricResult) bool { return m.Name == b.Name })
			if k < 0 { // no answer could be judged
				continue
			}
			better := LowerIsBetter
			if b.HigherIsBetter {
				better = HigherIsBetter
			}
			old, now := inBoth(b, after.Tasks[i].Metrics[k])
			if len(old) > 0 {
				rows = append(rows, NewComparisonRow(t.Name, b.Name, "", better, old, now))
			}
		}
	}
	return rows
}

// inBoth are the values of the documents that have a metric in both results.
func inBoth(before, after evaluate.MetricResult) (old, now []float64) {
	for i, document := range before.Documents {
		if k, found := slices.BinarySearch(after.Documents, document); found {
			old, now = append(old, before.Values[i]), append(now, after.Values[k])
		}
	}
	return old, now
}
