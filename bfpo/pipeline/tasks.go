package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
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
