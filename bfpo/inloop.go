package bfpo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/judge"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// inLoopPrompts is how many held-out rows' prompts are answered where eval_prompts names no others.
const inLoopPrompts = 8

// inLoop is what a stage measures at its evaluations besides the held-out rows: tasks, and answers to prompts. It reads the weights as they
// are and changes nothing, neither the state nor the order of the data.
type inLoop struct {
	plan      *evaluate.Plan // nil without eval_tasks
	prompts   []loopPrompt   // empty without generate_during_eval
	judge     judge.Judge    // nil without eval_judge
	scorer    *mistral.Scorer
	generator *mistral.Generator
	answers   []StepAnswer
}

// loopPrompt is a prompt as text and in tokens.
type loopPrompt struct {
	text string
	ids  []int32
}

// measuresMore tells whether evaluations measure more than the held-out rows.
func (c Config) measuresMore() bool { return len(c.EvalTasks) > 0 || c.GenerateDuringEval }

// checkInLoop checks eval_tasks and generate_during_eval with the keys that they need.
func (c Config) checkInLoop() (problems []error) {
	if !c.measuresMore() || len(c.Stages) > 0 {
		return nil
	}
	key := "eval_tasks"
	if len(c.EvalTasks) == 0 {
		key = "generate_during_eval"
	}
	if !c.DoEval {
		problems = append(problems, c.usage(key, "runs at evaluations, and there are none: set evaluation_strategy to steps (every eval_steps) or epoch, "+
			"or do_eval for one at the end"))
	}
	if mesh := c.mesh(); mesh != nil && mesh.Shards > 1 {
		problems = append(problems, c.usage(key, "needs the whole weights on one device, and mesh %s cuts them: use mesh: data", mesh))
	}
	if c.EvalLimit < 0 {
		problems = append(problems, c.usage("eval_limit", "must be 0 (all) or more, got %d", c.EvalLimit))
	}
	if _, err := FindTasks(c.EvalTasks, c.EvalInclude, func(string, ...any) {}); err != nil {
		problems = append(problems, c.usage("eval_tasks", "%v", err))
	}
	return problems
}

// openInLoop reads the documents of eval_tasks and the prompts, so that what is wrong with them is said before training.
func (t *training) openInLoop(ctx context.Context) (err error) {
	c := t.config
	if !c.measuresMore() || !c.DoEval {
		return nil
	}
	t.loop = &inLoop{}
	if c.GenerateDuringEval {
		if t.loop.prompts, err = t.loopPrompts(ctx); err != nil {
			return fmt.Errorf("generate_during_eval: %w", err)
		}
	}
	tasks, err := FindTasks(c.EvalTasks, c.EvalInclude, t.notice)
	if err != nil || len(tasks) == 0 {
		return err
	}
	encoder := evaluate.Encoder{Tokenizer: t.language.Tokenizer, MaxLength: t.model.Config.MaxPositionEmbeddings, TaskTemplate: t.language.Template}
	if c.EvalApplyChatTemplate {
		encoder.Template = t.language.Template
	}
	t.loop.plan, err = evaluate.NewPlan(ctx, tasks, task.Data{Dir: c.EvalData, Hub: t.Hub}, encoder, c.EvalLimit)
	if err != nil {
		return fmt.Errorf("eval_tasks (eval_data is %q): %w", c.EvalData, err)
	}
	t.loop.judge, err = OpenJudge(ctx, t.Runtime, c.EvalJudge)
	return err
}

// loopPrompts are the prompts that are answered: those of eval_prompts, or of the first held-out pairs, or the quickstart's.
func (t *training) loopPrompts(ctx context.Context) (prompts []loopPrompt, err error) {
	name := t.config.EvalPrompts
	if name == "" && len(t.pairs.held) > 0 {
		seen := map[string]bool{}
		for _, p := range t.pairs.held {
			ids := p.Chosen.IDs[:p.Chosen.Prompt]
			if text := t.language.Decode(ids, false); !seen[text] && len(prompts) < inLoopPrompts {
				seen[text], prompts = true, append(prompts, loopPrompt{text, ids})
			}
		}
		return prompts, nil
	}
	if name == "" {
		name = QuickstartPrefix + "prompts"
	}
	rows, err := datasets.Prompts(ctx, name, "", t.Hub)
	if err != nil {
		return nil, err
	}
	format := t.config.textFormat(t.language, t.model.Config.MaxPositionEmbeddings)
	for _, row := range rows {
		ids, err := format.PromptIDs(row)
		if err == nil && len(ids)+1 > t.model.Config.MaxPositionEmbeddings {
			err = fmt.Errorf("%d tokens leave no room for an answer: the model has %d positions", len(ids), t.model.Config.MaxPositionEmbeddings)
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

// measureInLoop runs the tasks and answers the prompts with the weights of the present step.
func (t *training) measureInLoop(ctx context.Context, m *Metrics) (err error) {
	if t.loop == nil {
		return nil
	}
	started, step := time.Now(), t.trainer.Step
	if t.loop.generator == nil {
		t.loop.scorer = mistral.NewScorer(t.Device, t.model.Config, t.model.Base, t.trainer.Masters, t.config.ComputeType()).WithBF16x3()
		t.loop.generator = mistral.NewGenerator(t.Device, t.model.Config, t.model.Base, t.trainer.Masters, t.config.ComputeType())
	}
	if t.loop.plan != nil {
		if m.Tasks, err = t.runTasks(ctx, step); err != nil {
			return fmt.Errorf("eval_tasks after step %d: %w", step, err)
		}
	}
	if len(t.loop.prompts) > 0 {
		if err := t.answerPrompts(ctx, step); err != nil {
			return fmt.Errorf("generate_during_eval after step %d: %w", step, err)
		}
	}
	m.TaskSeconds = time.Since(started).Seconds()
	return nil
}

// runTasks leaves eval/step-N in the layout of `bfpo eval`, and returns its means and their errors.
func (t *training) runTasks(ctx context.Context, step int) (values []Value, err error) {
	dir := filepath.Join(t.dir, evaluationsName, fmt.Sprintf("%s%d", stepPrefix, step))
	if err := evaluate.Remove(dir); err != nil { // of a run that was killed after it
		return nil, err
	}
	results, err := evaluate.Run{
		Plan: t.loop.plan, Scorer: t.loop.scorer, Generator: t.loop.generator, Tokenizer: t.language.Tokenizer, Seed: t.config.Seed,
		Judge: t.loop.judge, Dir: dir, ModelDigest: filepath.Base(dir), Version: t.Version,
		Config: map[string]any{
			"model": fmt.Sprintf("%s of %s, from %s", filepath.Base(dir), filepath.Base(t.dir), t.config.Model), "limit": limitOf(t.config.EvalLimit),
			"dtype": strings.ToLower(t.config.ComputeType().String()), "platform": t.Device.Platform(),
			"apply_chat_template": t.config.EvalApplyChatTemplate, "seed": t.config.Seed, "judge": judgeName(t.loop.judge),
		},
	}.Do(ctx)
	for _, task := range results.Tasks {
		for _, m := range task.Metrics {
			name := task.Name + "/" + m.Name
			values = append(values, Value{name, m.Mean})
			if !math.IsNaN(m.StdErr) {
				values = append(values, Value{name + stderrEnding, m.StdErr})
			}
		}
	}
	return values, err
}

// answerPrompts has the prompts answered greedily and writes the answers down.
func (t *training) answerPrompts(ctx context.Context, step int) error {
	ids := make([][]int32, len(t.loop.prompts))
	for i, p := range t.loop.prompts {
		ids[i] = p.ids
	}
	completions, err := t.loop.generator.Generate(ctx, ids, mistral.GenerateOptions{MaxTokens: answerTokens}, nil)
	if err != nil {
		return err
	}
	t.loop.answers = answersBefore(t.loop.answers, step)
	for i, c := range completions {
		answer := StepAnswer{Step: step, Prompt: t.loop.prompts[i].text, Answer: t.language.Decode(c.IDs, true), Stop: c.Stop}
		t.loop.answers = append(t.loop.answers, answer)
	}
	return writeStepAnswers(filepath.Join(t.dir, stepAnswersName), t.loop.answers)
}

// resumeInLoop takes over the answers of the steps before the one that the run goes on from; a run from the beginning has none.
func (t *training) resumeInLoop() error {
	if t.loop == nil || len(t.loop.prompts) == 0 {
		return nil
	}
	path := filepath.Join(t.dir, stepAnswersName)
	answers, err := readStepAnswers(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	t.loop.answers = answersBefore(answers, t.trainer.Step+1)
	return nil
}

// pending tells whether a resumed run has to evaluate before its next step: it was interrupted during the evaluation that is due here.
func (t *training) pending() bool {
	records := t.metrics.Records()
	return t.evaluates() && len(records) > 0 && !t.evaluated() && records[len(records)-1].Step == t.trainer.Step &&
		t.due(t.config.EvaluationStrategy, t.config.EvalSteps)
}

// interruptible saves the state after an evaluation that was told to stop.
func (t *training) interruptible(err error) error {
	if errors.Is(err, context.Canceled) {
		return t.interrupt()
	}
	return err
}

// evaluates tells whether there is anything to measure at evaluations.
func (t *training) evaluates() bool { return len(t.held) > 0 || t.loop != nil }

// close frees the programs; the weights are the training's.
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
