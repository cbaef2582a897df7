package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Training is one training stage under way, for a program that wants the loop for itself, such as a notebook that draws
// the curves; Train is the loop for all others.
//
//	t, err := train.Begin(ctx, rt, config, dir)
//	defer t.Close()
//	for m, err := range t.Steps(ctx) { … }
//	_, _, err = t.Finish()
type Training struct {
	stage   *Stage
	loop    *inLoop // nil where evaluations measure held-out rows alone
	saver   *saver
	metrics *track.MetricsLog
	name    string // begins each line in the terminal: sft, bfpo
	dir     string
	facts   []report.Fact
	started time.Time
	late    error // of writing the metrics, after the loop was left
}

// Begin gets a training stage ready for its first step: the data is read, the programs are compiled, the model is
// loaded, a checkpoint is restored where the recipe says so, and dir becomes the run's. Close it after use.
func Begin(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) (t *Training, err error) {
	started := time.Now()
	release, err := claimOutput(dir, c)
	if err != nil {
		return nil, err
	}
	t = &Training{name: c.Objective, dir: dir, started: started}
	if c, err = withDate(c, resumedRun(c, dir)); err == nil {
		err = t.prepare(ctx, rt, c)
	}
	if err != nil {
		err = errors.Join(err, t.Close())
		release()
		return nil, err
	}
	if err := t.start(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// prepare does everything that can fail before the folder is the run's, and shows its phases.
func (t *Training) prepare(ctx context.Context, rt models.Runtime, c recipe.Config) error {
	status := track.NewStatus(rt.Out, t.name)
	defer status.Close()
	shown := rt
	shown.Out = status
	status.Begin("reading the model's files and the data")
	in, err := data.Open(ctx, shown, c)
	if err != nil {
		return err
	}
	if c.ChatTemplateDate == "" {
		c.ChatTemplateDate = in.Tokenizer.TemplateDate
	}
	if t.loop, err = openInLoop(ctx, rt, c, in, t.dir); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return errors.Join(err, in.Close())
	}
	status.Begin(loadingPhase(rt.Device.Platform(), in.Checkpoint.Config.NumHiddenLayers))
	if t.stage, err = Load(shown, c, in); err != nil {
		return err
	}
	if t.stage.made, err = t.stage.identity(); err != nil {
		return err
	}
	t.stage.Out = rt.Out
	if err := ctx.Err(); err != nil { // a signal during the compilation
		return err
	}
	if c.PrecomputesReference() {
		status.Begin("computing the reference log-probabilities")
	}
	return t.restore(ctx, status)
}

// loadingPhase names the phase in which the model is loaded and, except on the Go backend, programs are compiled. On
// CPUs it estimates how long compiling takes: the 30 layers of SmolLM2-135M took 22 s on two cores of an AMD EPYC.
func loadingPhase(platform string, layers int) string {
	switch platform {
	case device.PlatformGo:
		return "loading the model"
	case device.PlatformCPU:
		return fmt.Sprintf("loading the model, compiling programs (about %d s, less from the cache)", max(5, layers*22/30))
	}
	return "loading the model, compiling programs (faster from the cache)"
}

// restore continues from a checkpoint where the recipe says so, and computes the reference once where it says so.
func (t *Training) restore(ctx context.Context, status *track.Status) error {
	out := t.stage.Out
	t.stage.Out = status
	defer func() { t.stage.Out = out }()
	checkpoints := filepath.Join(t.dir, rundir.Checkpoints)
	best, err := resume(t.stage, checkpoints, t.dir)
	if err != nil {
		return err
	}
	t.saver = &saver{stage: t.stage, dir: checkpoints, run: t.dir, best: best, saved: t.stage.Trainer.Step}
	return t.stage.PrecomputeReference(ctx)
}

// start makes the folder the run's, opens its files and prints the banner.
func (t *Training) start() (err error) {
	c := t.stage.Config
	if err := takeOutput(t.dir, c); err != nil {
		return err
	}
	if t.metrics, err = track.OpenMetricsLog(filepath.Join(t.dir, rundir.Metrics), t.stage.Trainer.Step); err != nil {
		return err
	}
	t.saver.metrics = t.metrics
	if err := t.loop.resume(t.stage.Trainer.Step); err != nil {
		return err
	}
	t.facts = facts(t.stage, t.started)
	notices := c.Notices
	if keys := c.UnreadKeys(); len(keys) > 0 {
		notices = append(slices.Clone(notices),
			fmt.Sprintf("not read by objective %s: %s", c.Objective, strings.Join(keys, ", ")))
	}
	for _, notice := range notices {
		t.stage.Log().Info(notice)
	}
	return report.WriteBanner(t.stage.Out, t.name, t.facts)
}

// Total returns the number of optimizer steps of the whole run.
func (t *Training) Total() int { return t.stage.Trainer.Count.Total }

// Steps runs the steps that are left and yields the metrics of each, after they were written; between them it evaluates
// and saves as the recipe says. It stops after an error; the error of an interrupted run wraps usage.ErrInterrupted,
// and its state is saved then.
func (t *Training) Steps(ctx context.Context) iter.Seq2[track.Metrics, error] {
	return func(yield func(track.Metrics, error) bool) {
		displays, err := t.openDisplays()
		if err != nil {
			yield(track.Metrics{}, err)
			return
		}
		trackers := append(track.Trackers{t.metrics}, displays...)
		if t.evaluationPending() {
			if err := t.interruptible(t.evaluate(ctx, trackers)); err != nil {
				yield(track.Metrics{}, errors.Join(err, displays.Close()))
				return
			}
		}
		left := t.runSteps(ctx, trackers, yield)
		if !left && t.evaluates() && !t.evaluated() {
			err = t.interruptible(t.evaluate(ctx, trackers))
		}
		if err = errors.Join(err, t.metrics.Sync(), displays.Close()); err != nil && left {
			t.late = err // the caller takes no more values; Close returns it
		} else if err != nil {
			yield(track.Metrics{}, err)
		}
	}
}

// runSteps runs the optimizer steps that are left and yields their metrics. left tells that the caller left the loop or
// that a step failed.
func (t *Training) runSteps(
	ctx context.Context,
	trackers track.Trackers,
	yield func(track.Metrics, error) bool,
) (left bool) {
	for m, err := range t.stage.Trainer.Steps(ctx) {
		switch {
		case err == nil:
			if err = t.interruptible(t.afterStep(ctx, m, trackers)); err != nil && !errors.Is(err, usage.ErrInterrupted) {
				err = t.saver.explain(err)
			}
		case errors.Is(err, context.Canceled):
			err = t.saver.interrupt()
		default:
			err = t.saver.explain(err)
		}
		if !yield(m, err) || err != nil {
			return true
		}
	}
	return false
}

// afterStep writes a step's metrics down, and evaluates and saves where that is due.
func (t *Training) afterStep(ctx context.Context, m track.Metrics, trackers track.Trackers) error {
	if err := errors.Join(trackers.Track(m), t.saver.saving.failed()); err != nil {
		return err
	}
	c := t.stage.Config
	if t.due(c.EvaluationStrategy, c.EvalSteps) {
		if err := t.evaluate(ctx, trackers); err != nil {
			return err
		}
	}
	if t.due(c.SaveStrategy, c.SaveSteps) {
		return t.saver.save()
	}
	return nil
}

// evaluate measures the held-out rows, the tasks and the prompts, and remembers the best step.
func (t *Training) evaluate(ctx context.Context, to track.Tracker) error {
	m, err := evaluation(ctx, t.stage, t.loop)
	if err != nil {
		return err
	}
	// Only a step that gets a checkpoint can be gone back to.
	c := t.stage.Config
	kept := c.LoadBestModelAtEnd && t.due(c.SaveStrategy, c.SaveSteps)
	if kept && (t.saver.best == nil || m.Loss < t.saver.best.Value) {
		t.saver.best = &checkpoint.Best{Metric: "eval_loss", Value: m.Loss, Step: m.Step}
	}
	return to.Track(m)
}

// evaluates reports whether there is anything to measure at evaluations.
func (t *Training) evaluates() bool { return len(t.stage.Inputs.HeldOut) > 0 || t.loop != nil }

// evaluated reports whether the newest record is an evaluation: a run that is killed after an evaluation resumes after
// it and does not repeat it.
func (t *Training) evaluated() bool {
	records := t.metrics.Records()
	return len(records) > 0 && records[len(records)-1].IsEvaluation()
}

// evaluationPending reports whether a resumed run has to evaluate before its next step: it was interrupted during the
// evaluation that is due here.
func (t *Training) evaluationPending() bool {
	records, c := t.metrics.Records(), t.stage.Config
	return t.evaluates() && len(records) > 0 && !t.evaluated() && records[len(records)-1].Step == t.stage.Trainer.Step &&
		t.due(c.EvaluationStrategy, c.EvalSteps)
}

// due reports whether an action of a strategy (no, steps, epoch) comes after the present step. The last step is always
// an epoch's end.
func (t *Training) due(strategy string, every int) bool {
	step, count := t.stage.Trainer.Step, t.stage.Trainer.Count
	switch strategy {
	case "steps":
		return step%every == 0
	case "epoch":
		return step%count.PerEpoch == 0 || step == count.Total
	}
	return false
}

// interruptible saves the state after an evaluation that was told to stop.
func (t *Training) interruptible(err error) error {
	if errors.Is(err, context.Canceled) {
		return t.saver.interrupt()
	}
	return err
}

// openDisplays opens the terminal and the curves, which show what the step log keeps, continuing after a resumed run's
// step.
func (t *Training) openDisplays() (track.Trackers, error) {
	step, c := t.stage.Trainer.Step, t.stage.Config
	displays := track.Trackers{track.NewTerminal(t.stage.Out, t.name, step, t.Total(), c.LoggingSteps)}
	for _, name := range c.ReportTo {
		if name != "tensorboard" {
			continue
		}
		events, err := track.CreateEventFile(filepath.Join(t.dir, rundir.Events), step)
		if err != nil {
			return nil, err
		}
		displays = append(displays, events)
		text, err := c.YAML()
		if err == nil {
			err = events.WriteText("config", "```yaml\n"+string(text)+"```")
		}
		if err != nil {
			return nil, err
		}
	}
	return displays, nil
}

// Close frees the model and the programs.
func (t *Training) Close() error {
	errs := []error{t.late}
	if t.saver != nil {
		errs = append(errs, t.saver.saving.wait())
	}
	if t.metrics != nil {
		errs = append(errs, t.metrics.Close())
	}
	errs = append(errs, t.loop.close())
	if t.stage != nil {
		errs = append(errs, t.stage.Close())
	}
	return errors.Join(errs...)
}
