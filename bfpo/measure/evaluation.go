package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/mistral"
)

// Options are the tasks of an evaluation and how to run them.
type Options struct {
	Tasks             []task.Task
	Data              string // folder of the tasks' local files; "": all from the hub
	Limit             int    // documents of each task; 0: all
	ApplyChatTemplate bool   // render contexts as a user message in the chat template
	Judge             string // for tasks that need a judge; see OpenJudge
}

// Evaluate measures the recipe's model on tasks and writes results.json and the samples into dir. The error of an
// interrupted evaluation wraps usage.ErrInterrupted; the same call continues it. A finished evaluation in dir is a
// *usage.Error unless the recipe says to overwrite it.
func Evaluate(ctx context.Context, rt models.Runtime, c recipe.Config, e Options, dir string) (
	evaluate.Results, error) {
	judge, err := OpenJudge(ctx, rt, e.Judge)
	if err != nil {
		return evaluate.Results{}, err
	}
	if judge != nil {
		defer judge.Close()
	}
	if err := prepareFolder(dir, c); err != nil {
		return evaluate.Results{}, err
	}
	results, err := EvaluateWithJudge(ctx, rt, c, e, judge, dir, false)
	switch {
	case errors.Is(err, evaluate.ErrDifferentEvaluation):
		err = usage.Errorf("%w: choose another -out, or replace it with -set=overwrite_output_dir=true", err)
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("%w: the results so far are in %s; the same command with -out=%s continues",
			usage.ErrInterrupted, dir, usage.Argument(dir))
	case err != nil && evaluate.Unfinished(dir):
		err = fmt.Errorf("%w (the results so far are in %s; the same command with -out=%s continues)", err, dir,
			usage.Argument(dir))
	}
	return results, err
}

// EvaluateWithJudge measures the recipe's model on tasks and writes the results into dir, which may hold others.
// e.Judge is not used: judge is the opened judge, or nil. With keepJournal the journal of computed answers and
// verdicts stays in dir, which makes the same call quick later.
func EvaluateWithJudge(ctx context.Context, rt models.Runtime, c recipe.Config, e Options, judge judge.Judge,
	dir string, keepJournal bool) (evaluate.Results, error) {
	checkpoint, err := models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return evaluate.Results{}, err
	}
	defer checkpoint.Close()
	tokenizer, err := models.NewChatTokenizer(ctx, checkpoint, c)
	if err != nil {
		return evaluate.Results{}, err
	}
	if tokenizer.UsesDefaultTemplate && e.usesChatTemplate() {
		rt.Log().Info(fmt.Sprintf("%s has no chat template: using zephyr's", c.Model))
	}
	plan, err := e.plan(ctx, rt, tokenizer, checkpoint.Config.MaxPositionEmbeddings)
	if err != nil {
		return evaluate.Results{}, err
	}
	dtype := c.ComputeDType(rt.Device.FastBF16())
	var digesting errgroup.Group
	digesting.Go(func() error { // while the weights are loaded
		_, err := checkpoint.TensorDigests()
		return err
	})
	model, err := mistral.LoadOnMesh(rt.Device, c.InferenceMesh(), checkpoint, dtype)
	if failed := digesting.Wait(); err != nil || failed != nil {
		return evaluate.Results{}, errors.Join(err, failed)
	}
	defer model.Close()
	template := ""
	if e.usesChatTemplate() {
		template = tokenizer.TemplateSource
	}
	identity, err := evaluationIdentity(checkpoint, template, dtype, rt.Device.Platform())
	if err != nil {
		return evaluate.Results{}, err
	}
	scorer := mistral.NewScorer(rt.Device, model.Config, model.Base, nil, dtype).WithBF16x3()
	defer scorer.Close()
	generator := mistral.NewGenerator(rt.Device, model.Config, model.Base, nil, dtype)
	defer generator.Close()
	progress := &evaluationProgress{out: rt.Out}
	defer progress.end()
	return evaluate.Run{
		Plan: plan, Scorer: scorer, Generator: generator, Tokenizer: tokenizer.Tokenizer, Seed: c.Seed, Judge: judge,
		Dir: dir, KeepJournal: keepJournal,
		Model: identity, Log: rt.Log(), Version: rt.Version, Progress: progress.show,
		Config: map[string]any{
			"model": c.Model, "dtype": strings.ToLower(dtype.String()), "platform": rt.Device.Platform(),
			"limit": LimitOrNil(e.Limit), "apply_chat_template": e.ApplyChatTemplate, "seed": c.Seed,
			"judge": JudgeNameOrNil(judge),
		},
	}.Do(ctx)
}

// usesChatTemplate reports whether any context is rendered by the chat template.
func (e Options) usesChatTemplate() bool {
	return e.ApplyChatTemplate || slices.ContainsFunc(e.Tasks, func(t task.Task) bool { return t.ApplyChatTemplate })
}

// plan reads and encodes the tasks' documents for a model with the given number of positions.
func (e Options) plan(ctx context.Context, rt models.Runtime, t models.ChatTokenizer, positions int) (
	*evaluate.Plan, error) {
	encoder := evaluate.Encoder{Tokenizer: t.Tokenizer, MaxLength: positions, TaskTemplate: t.Template}
	if e.ApplyChatTemplate {
		encoder.Template = t.Template
	}
	return evaluate.NewPlan(ctx, e.Tasks, task.Data{Folder: e.Data, Hub: rt.Hub}, encoder, e.Limit)
}

// prepareFolder refuses a folder with a finished evaluation, or removes the evaluation if the recipe has
// overwrite_output_dir.
func prepareFolder(dir string, c recipe.Config) error {
	if c.OverwriteOutputDir {
		return evaluate.Remove(dir)
	}
	if evaluate.Finished(dir) {
		return usage.Errorf("%s holds a finished evaluation: "+
			"choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	return nil
}

// LimitOrNil returns a limit as lm-evaluation-harness writes it: nil (null in JSON) for no limit.
func LimitOrNil(limit int) any {
	if limit == 0 {
		return nil
	}
	return limit
}

// JudgeNameOrNil returns the judge's name for results.json: nil (null in JSON) for no judge.
func JudgeNameOrNil(judge judge.Judge) any {
	if judge == nil {
		return nil
	}
	return judge.Name()
}
