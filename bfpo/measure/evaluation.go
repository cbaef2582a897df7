package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/mistral"
)

// Evaluation says what a model is to be measured with.
type Evaluation struct {
	Tasks []task.Task
	Data  string // folder of local files; "" takes all from the hub
	Limit int    // documents of each task; 0 = all
	Chat  bool   // contexts are rendered by the chat template, as a user's message
	Judge string // of the tasks that need one, as OpenJudge finds it
}

// Evaluate measures the recipe's model and leaves results.json and the samples in dir. An interrupted evaluation goes on when it is
// called again with the same arguments; the error of an interrupted one wraps ErrInterrupted.
func Evaluate(ctx context.Context, rt models.Runtime, c recipe.Config, e Evaluation, dir string) (evaluate.Results, error) {
	judge, err := OpenJudge(ctx, rt, e.Judge)
	if err != nil {
		return evaluate.Results{}, err
	}
	if judge != nil {
		defer judge.Close()
	}
	if err := claimEvaluation(dir, c); err != nil {
		return evaluate.Results{}, err
	}
	results, err := Run(ctx, rt, c, e, judge, dir, false)
	switch {
	case errors.Is(err, evaluate.ErrDifferentEvaluation):
		err = usage.Errorf("%w: choose another -out, or replace it with -set=overwrite_output_dir=true", err)
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("%w: what is evaluated so far is in %s, and the same command with -out=%s goes on", usage.ErrInterrupted, dir, dir)
	case err != nil && evaluate.Unfinished(dir):
		err = fmt.Errorf("%w (what is evaluated so far is in %s, and the same command with -out=%s goes on)", err, dir, dir)
	}
	return results, err
}

// measure evaluates a recipe's model in dir, with a judge unless that is nil. With keep, what it took long to compute stays there, so that
// the same call is quick later.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, e Evaluation, judge judge.Judge, dir string, keep bool) (evaluate.Results, error) {
	checkpoint, err := models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Notice)
	if err != nil {
		return evaluate.Results{}, err
	}
	defer checkpoint.Close()
	language, err := models.NewLanguage(checkpoint, c.ChatTemplate)
	if err != nil {
		return evaluate.Results{}, err
	}
	encoder := evaluate.Encoder{Tokenizer: language.Tokenizer, MaxLength: checkpoint.Config.MaxPositionEmbeddings, TaskTemplate: language.Template}
	if e.Chat {
		encoder.Template = language.Template
	}
	if language.Assumed && (e.Chat || slices.ContainsFunc(e.Tasks, func(t task.Task) bool { return t.ApplyChatTemplate })) {
		rt.Notice("%s has no chat template: using zephyr's", c.Model)
	}
	plan, err := evaluate.NewPlan(ctx, e.Tasks, task.Data{Dir: e.Data, Hub: rt.Hub}, encoder, e.Limit)
	if err != nil {
		return evaluate.Results{}, err
	}
	identity, err := modelIdentity(checkpoint)
	if err != nil {
		return evaluate.Results{}, err
	}
	model, err := mistral.LoadOn(rt.Device, c.ReplicatedMesh(), checkpoint, c.ComputeType())
	if err != nil {
		return evaluate.Results{}, err
	}
	defer model.Close()
	scorer := mistral.NewScorer(rt.Device, model.Config, model.Base, nil, c.ComputeType()).WithBF16x3()
	defer scorer.Close()
	generator := mistral.NewGenerator(rt.Device, model.Config, model.Base, nil, c.ComputeType())
	defer generator.Close()
	progress := &evaluationProgress{out: rt.Out}
	defer progress.end()
	return evaluate.Run{
		Plan: plan, Scorer: scorer, Generator: generator, Tokenizer: language.Tokenizer, Seed: c.Seed, Judge: judge, Dir: dir, KeepJournal: keep,
		ModelDigest: fmt.Sprintf("%s %v %s", identity, c.ComputeType(), rt.Device.Platform()),
		Version:     rt.Version, Progress: progress.show,
		Config: map[string]any{
			"model": c.Model, "dtype": strings.ToLower(c.ComputeType().String()), "platform": rt.Device.Platform(), "limit": LimitOf(e.Limit),
			"apply_chat_template": e.Chat, "seed": c.Seed, "judge": JudgeName(judge),
		},
	}.Do(ctx)
}

// claimEvaluation makes dir ready: a finished evaluation in it is an error, or removed where the recipe says so.
func claimEvaluation(dir string, c recipe.Config) error {
	if c.OverwriteOutputDir {
		return evaluate.Remove(dir)
	}
	if evaluate.Finished(dir) {
		return usage.Errorf("%s holds a finished evaluation: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	return nil
}

// limitOf is a limit as lm-evaluation-harness writes it: null for none.
func LimitOf(limit int) any {
	if limit == 0 {
		return nil
	}
	return limit
}

// judgeName is a judge for results: null for none.
func JudgeName(judge judge.Judge) any {
	if judge == nil {
		return nil
	}
	return judge.Name()
}
