package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// evaluateTasks evaluates one model on the tasks of a stage in the folder of one side. It continues what a stopped run
// left there if the pipeline resumes.
func (p *Pipeline) evaluateTasks(ctx context.Context, e recipe.EvalStage, model, side string) (evaluate.Results,
	error) {
	dir := p.evalDir(side)
	tasks, err := recipe.FindTasks(e.Tasks, e.Include, p.Log())
	if err != nil {
		return evaluate.Results{}, err
	}
	tasks = append(tasks, p.Tasks...)
	if !p.resume || len(tasks) == 0 {
		err = evaluate.Remove(dir) // what a run left that was stopped or is being replaced
	}
	if err != nil || len(tasks) == 0 {
		return evaluate.Results{}, err
	}
	judge, err := measure.OpenJudge(ctx, p.Runtime, e.Judge)
	if err != nil {
		return evaluate.Results{}, err
	}
	if judge != nil {
		defer judge.Close()
	}
	c := p.config
	c.Model = model
	what := measure.Options{Tasks: tasks, Data: e.Data, Limit: e.Limit, ApplyChatTemplate: e.ApplyChatTemplate}
	results, err := measure.EvaluateWithJudge(ctx, p.Runtime, c, what, judge, dir, true)
	if errors.Is(err, evaluate.ErrDifferentEvaluation) { // the recipe was changed since the run was stopped
		if err = evaluate.Remove(dir); err == nil {
			results, err = measure.EvaluateWithJudge(ctx, p.Runtime, c, what, judge, dir, true)
		}
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: the documents evaluated so far are in %s", usage.ErrInterrupted, dir)
	}
	return results, err
}

// compareTasks compares the metrics of tasks over the documents that have the metric before and after training.
func compareTasks(before, after evaluate.Results) (rows []report.ComparisonRow) {
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
