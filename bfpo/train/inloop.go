package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral"
)

// AnswerTokens is the length in tokens at which sample answers end.
const AnswerTokens = 64

// loopPromptCount is the number of held-out rows whose prompts are answered where eval_prompts names no others.
const loopPromptCount = 8

// inLoop measures tasks and answers prompts at the evaluations of a stage. It reads the weights as they are and changes
// nothing, neither the state nor the order of the data.
type inLoop struct {
	models.Runtime
	config    recipe.Config
	language  models.ChatTokenizer
	dir       string         // of the run
	plan      *evaluate.Plan // nil without eval_tasks
	prompts   []loopPrompt   // empty without generate_during_eval
	judge     judge.Judge    // nil without eval_judge
	scorer    *mistral.Scorer
	generator *mistral.Generator
	answers   []report.StepAnswer
}

// loopPrompt is a prompt as text and in tokens.
type loopPrompt struct {
	text string
	ids  []int32
}

// openInLoop reads the documents of eval_tasks and the prompts, so that an error in them is reported before training.
// It returns nil where the recipe asks for neither.
func openInLoop(
	ctx context.Context,
	rt models.Runtime,
	c recipe.Config,
	in data.Inputs,
	dir string,
) (l *inLoop, err error) {
	if !c.EvaluatesBeyondLoss() || !c.DoEval {
		return nil, nil
	}
	l = &inLoop{Runtime: rt, config: c, language: in.Tokenizer, dir: dir}
	if c.GenerateDuringEval {
		if l.prompts, err = loopPrompts(ctx, rt, c, in); err != nil {
			return nil, fmt.Errorf("generate_during_eval: %w", err)
		}
	}
	tasks, err := recipe.FindTasks(c.EvalTasks, c.EvalInclude, rt.Log())
	if err != nil || len(tasks) == 0 {
		return l, err
	}
	encoder := evaluate.Encoder{
		Tokenizer: l.language.Tokenizer, TaskTemplate: l.language.Template,
		MaxLength: in.Checkpoint.Config.MaxPositionEmbeddings,
	}
	if c.EvalApplyChatTemplate {
		encoder.Template = l.language.Template
	}
	l.plan, err = evaluate.NewPlan(ctx, tasks, task.Data{Folder: c.EvalData, Hub: rt.Hub}, encoder, c.EvalLimit)
	if err != nil {
		return nil, fmt.Errorf("eval_tasks (eval_data is %q): %w", c.EvalData, err)
	}
	l.judge, err = measure.OpenJudge(ctx, rt, c.EvalJudge)
	return l, err
}

// loopPrompts returns the prompts to answer: the ones in eval_prompts, or the prompts of the first held-out pairs, or
// the quickstart's.
func loopPrompts(
	ctx context.Context,
	rt models.Runtime,
	c recipe.Config,
	in data.Inputs,
) (prompts []loopPrompt, err error) {
	name, positions := c.EvalPrompts, in.Checkpoint.Config.MaxPositionEmbeddings
	if held := in.Sets.HeldOut.Pairs; name == "" && len(held) > 0 {
		seen := map[string]bool{}
		for _, p := range held {
			ids := p.Chosen.IDs[:p.Chosen.PromptLength]
			if text := in.Tokenizer.Decode(ids, false); !seen[text] && len(prompts) < loopPromptCount {
				seen[text], prompts = true, append(prompts, loopPrompt{text, ids})
			}
		}
		return prompts, nil
	}
	if name == "" {
		name = recipe.QuickstartPrefix + "prompts"
	}
	rows, err := data.ReadPrompts(ctx, c, name, in.Tokenizer, rt.Hub, rt.Log())
	if err != nil {
		return nil, err
	}
	format := data.NewTextFormat(c, in.Tokenizer, positions)
	for _, row := range rows {
		ids, err := format.EncodePrompt(ctx, row)
		if err == nil && len(ids)+1 > positions {
			err = fmt.Errorf("%d tokens leave no room for an answer: the model has %d positions", len(ids), positions)
		}
		if err != nil {
			return nil, fmt.Errorf("prompt %s: %w", row.ID, err)
		}
		text := row.Text
		if n := len(row.Messages); n > 0 {
			text = row.Messages[n-1].Content
		}
		prompts = append(prompts, loopPrompt{text, ids})
	}
	return prompts, nil
}

// measure runs the tasks and answers the prompts with the stage's weights as they are, and returns the tasks' metrics.
func (l *inLoop) measure(ctx context.Context, s *Stage) (values []track.Value, err error) {
	step := s.Trainer.Step
	if l.generator == nil {
		model, dtype := s.Model, s.Config.ComputeDType(s.Device.FastBF16())
		l.scorer = mistral.NewScorer(s.Device, model.Config, model.Base, s.Trainer.Masters, dtype).WithBF16x3()
		l.generator = mistral.NewGenerator(s.Device, model.Config, model.Base, s.Trainer.Masters, dtype)
	}
	if l.plan != nil {
		if values, err = l.runTasks(ctx, step); err != nil {
			return nil, fmt.Errorf("eval_tasks after step %d: %w", step, err)
		}
	}
	if len(l.prompts) > 0 {
		if err := l.answerPrompts(ctx, step); err != nil {
			return nil, fmt.Errorf("generate_during_eval after step %d: %w", step, err)
		}
	}
	return values, nil
}

// runTasks leaves eval/step-N in the layout of `bfpo eval`, and returns its means and their standard errors.
func (l *inLoop) runTasks(ctx context.Context, step int) (values []track.Value, err error) {
	c := l.config
	dir := filepath.Join(l.dir, rundir.Evaluations, fmt.Sprintf("%s%d", rundir.StepPrefix, step))
	if err := evaluate.Remove(dir); err != nil { // left by a run that was killed after it
		return nil, err
	}
	results, err := evaluate.Run{
		Plan: l.plan, Scorer: l.scorer, Generator: l.generator, Tokenizer: l.language.Tokenizer, Seed: c.Seed,
		Judge: l.judge, Dir: dir, Model: evaluate.Identity{"model": filepath.Base(dir)}, Version: l.Version,
		Config: map[string]any{
			"model": fmt.Sprintf("%s of %s, from %s", filepath.Base(dir), filepath.Base(l.dir), c.Model),
			"limit": measure.LimitOrNil(c.EvalLimit), "platform": l.Device.Platform(),
			"dtype":               strings.ToLower(c.ComputeDType(l.Device.FastBF16()).String()),
			"apply_chat_template": c.EvalApplyChatTemplate, "seed": c.Seed, "judge": measure.JudgeNameOrNil(l.judge),
		},
	}.Do(ctx)
	for _, task := range results.Tasks {
		for _, m := range task.Metrics {
			name := task.Name + "/" + m.Name
			values = append(values, track.Value{Name: name, Value: m.Mean})
			if !math.IsNaN(m.StdErr) {
				values = append(values, track.Value{Name: name + track.StderrSuffix, Value: m.StdErr})
			}
		}
	}
	return values, err
}

// answerPrompts generates greedy answers to the prompts and writes them down.
func (l *inLoop) answerPrompts(ctx context.Context, step int) error {
	ids := make([][]int32, len(l.prompts))
	for i, p := range l.prompts {
		ids[i] = p.ids
	}
	completions, err := l.generator.Generate(ctx, ids, mistral.GenerateOptions{MaxTokens: AnswerTokens}, nil)
	if err != nil {
		return err
	}
	l.answers = report.AnswersBefore(l.answers, step)
	for i, c := range completions {
		l.answers = append(l.answers, report.StepAnswer{
			Step: step, Prompt: l.prompts[i].text, Answer: l.language.Decode(c.IDs, true), Stop: c.Stop,
		})
	}
	return report.WriteStepAnswers(filepath.Join(l.dir, rundir.Answers), l.answers)
}

// resume reads the answers of the steps up to the one from which the run continues; a run from the beginning has none.
func (l *inLoop) resume(step int) error {
	if l == nil || len(l.prompts) == 0 {
		return nil
	}
	answers, err := report.ReadStepAnswers(filepath.Join(l.dir, rundir.Answers))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l.answers = report.AnswersBefore(answers, step+1)
	return nil
}

// close frees the programs and the judge; the weights are the stage's.
func (l *inLoop) close() error {
	if l == nil {
		return nil
	}
	if l.generator != nil {
		l.scorer.Close()
		l.generator.Close()
	}
	if l.judge != nil {
		return l.judge.Close()
	}
	return nil
}
