package bfpo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

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
	if !p.resume || len(tasks) == 0 {
		err = evaluate.Remove(dir) // of a run that was stopped or is replaced
	}
	if err != nil || len(tasks) == 0 {
		return results, err
	}
	c := p.config
	c.Model = model
	what := Evaluation{Tasks: tasks, Data: e.Data, Limit: e.Limit, Chat: e.ApplyChatTemplate}
	results, err = measure(ctx, p.Runtime, c, what, dir, true)
	if errors.Is(err, evaluate.ErrOther) { // the recipe was changed meanwhile
		if err = evaluate.Remove(dir); err == nil {
			results, err = measure(ctx, p.Runtime, c, what, dir, true)
		}
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: what is evaluated so far is in %s", ErrInterrupted, dir)
	}
	return results, err
}

// compareTasks compares the tasks' metrics document by document.
func compareTasks(before, after evaluate.Results) (rows []ComparisonRow) {
	for i, t := range before.Tasks {
		for k, b := range t.Metrics {
			better := LowerIsBetter
			if b.HigherIsBetter {
				better = HigherIsBetter
			}
			rows = append(rows, NewComparisonRow(t.Name, b.Name, "", better, b.Values, after.Tasks[i].Metrics[k].Values))
		}
	}
	return rows
}
