package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// environment lists what the numbers were made with: versions, device and machine.
func Environment(rt models.Runtime) []report.Fact {
	return []report.Fact{
		{Name: "bfpo", Value: rt.Version},
		{Name: "device", Value: rt.Device.Describe()},
		{Name: "machine", Value: fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())},
	}
}

// training is one training stage under way.
type training struct {
	models.Runtime
	config recipe.Config
	name   string // shown before each line: sft, bfpo
	dir    string
	begun  bool // dir is this run's: what is wrong from here on leaves it there

	language models.Language
	mesh     *device.Mesh // of the devices that the model lies on
	model    *mistral.Model
	trainer  *Trainer
	shapes   []batch.Shape // of all batches of the run
	pairs    stagePairs    // of a preference stage
	held     []microBatch  // evaluated in the loop
	loop     *inLoop       // what is measured there besides; nil without
	best     *checkpoint.Best
	saved    int        // step of the newest checkpoint that this process has begun to write
	saving   background // of that checkpoint
	memory   report.Memory
	programs []device.Compiled // grads of the largest batch, apply

	references []device.Compiled // the forward passes that precompute the reference
	data       []data.SetSummary
	facts      []report.Fact
	metrics    *track.MetricsLog
	started    time.Time
	late       error // of writing the metrics, after the loop was left
}

// Train runs one training stage and leaves its folder dir as documented for users; report and card are what it wrote of itself there. An
// interrupted run returns an error that wraps ErrInterrupted after it has saved a checkpoint.
func Train(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) (summary report.Stage, card report.Card, err error) {
	t, err := Begin(ctx, rt, c, dir)
	if err != nil {
		return report.Stage{}, report.Card{}, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	for _, err := range t.Steps(ctx) {
		if err != nil {
			return report.Stage{}, report.Card{}, err
		}
	}
	return t.Finish(ctx)
}

// open finds the model and reads the data: everything that can be wrong before the device is asked for memory.
func (t *training) open(ctx context.Context) error {
	checkpoint, err := models.Open(ctx, t.config.Model, t.Hub, t.Cache, t.Notice)
	if err != nil {
		return err
	}
	t.model = &mistral.Model{Config: checkpoint.Config, Checkpoint: checkpoint}
	if t.language, err = models.NewLanguage(checkpoint, t.config.ChatTemplate); err != nil {
		return err
	}
	if t.language.Assumed {
		t.Notice("%s has no chat template: using zephyr's", t.config.Model)
	}
	checkpoint.SetChatTemplate(t.language.Source)
	t.trainer = &Trainer{seedFormat: t.config.TextFormat == "seed", logRows: t.config.LogRows}
	if err := t.readData(ctx); err != nil {
		return err
	}
	return t.openInLoop(ctx)
}

// steps runs the steps, and between them evaluates and saves as the recipe says; after each it yields the step's metrics.
func (t *training) steps(ctx context.Context) iter.Seq2[track.Metrics, error] {
	return func(yield func(track.Metrics, error) bool) {
		trackers, err := t.trackers()
		if err != nil {
			yield(track.Metrics{}, err)
			return
		}
		stopped := false
		if t.pending() {
			if err := t.interruptible(t.evaluate(ctx, trackers)); err != nil {
				yield(track.Metrics{}, errors.Join(err, trackers.Close()))
				return
			}
		}
		for m, err := range t.trainer.Steps(ctx) {
			if err == nil {
				err = t.interruptible(t.afterStep(ctx, m, trackers))
			} else if errors.Is(err, context.Canceled) {
				err = t.interrupt()
			} else {
				err = t.explain(err)
			}
			if stopped = !yield(m, err) || err != nil; stopped {
				break
			}
		}
		if !stopped && t.evaluates() && !t.evaluated() {
			err = t.interruptible(t.evaluate(ctx, trackers))
		}
		if err = errors.Join(err, trackers.Close()); err != nil && stopped {
			t.late = err // nobody takes it any more
		} else if err != nil {
			yield(track.Metrics{}, err)
		}
	}
}

// afterStep writes a step's metrics down, and evaluates and saves where that is due.
func (t *training) afterStep(ctx context.Context, m track.Metrics, trackers track.Trackers) error {
	if err := errors.Join(trackers.Track(m), t.saving.failed()); err != nil {
		return err
	}
	if t.due(t.config.EvaluationStrategy, t.config.EvalSteps) {
		if err := t.evaluate(ctx, trackers); err != nil {
			return err
		}
	}
	if t.due(t.config.SaveStrategy, t.config.SaveSteps) {
		return t.save()
	}
	return nil
}

// evaluated tells whether the newest record is an evaluation: a run that was killed after its last one resumes behind it.
func (t *training) evaluated() bool {
	records := t.metrics.Records()
	return len(records) > 0 && records[len(records)-1].Evaluation()
}

// due tells whether an action of a strategy (no, steps, epoch) comes after the present step. The last step is always an epoch's end.
func (t *training) due(strategy string, every int) bool {
	switch strategy {
	case "steps":
		return t.trainer.Step%every == 0
	case "epoch":
		return t.trainer.Step%t.trainer.steps.PerEpoch == 0 || t.trainer.Step == t.trainer.steps.Total
	}
	return false
}

// trackers are the step log, the curves and the terminal, going on after a resumed run's step.
func (t *training) trackers() (track.Trackers, error) {
	var err error
	if t.metrics, err = track.OpenMetricsLog(filepath.Join(t.dir, rundir.Metrics), t.trainer.Step); err != nil {
		return nil, err
	}
	if err := t.resumeInLoop(); err != nil {
		return nil, err
	}
	trackers := track.Trackers{t.metrics, track.NewTerminal(t.Out, t.name, t.trainer.Step, t.trainer.steps.Total, t.config.LoggingSteps)}
	for _, name := range t.config.ReportTo {
		if name != "tensorboard" {
			continue
		}
		events, err := track.CreateEventFile(filepath.Join(t.dir, rundir.Events), t.trainer.Step)
		if err != nil {
			return nil, err
		}
		trackers = append(trackers, events)
		text, err := t.config.YAML()
		if err == nil {
			err = events.Text("config", "```yaml\n"+string(text)+"```")
		}
		if err != nil {
			return nil, err
		}
	}
	return trackers, nil
}

// interrupt saves the state of a run that was told to stop.
func (t *training) interrupt() error {
	if t.trainer.Step == 0 {
		return fmt.Errorf("%w before the first step; nothing to save", usage.ErrInterrupted)
	}
	if t.saved != t.trainer.Step {
		if err := t.save(); err != nil {
			return err
		}
	}
	if err := t.saving.wait(); err != nil {
		return err
	}
	return fmt.Errorf("%w after step %d, which is saved in %s", usage.ErrInterrupted, t.trainer.Step, filepath.Join(t.dir, rundir.Checkpoints))
}

// explain adds to the error of a failed step where training can go on from.
func (t *training) explain(err error) error {
	if failed := t.saving.wait(); failed != nil {
		return errors.Join(err, failed)
	}
	found, _ := checkpoint.List(filepath.Join(t.dir, rundir.Checkpoints))
	if len(found) == 0 {
		return fmt.Errorf("%w; no checkpoint was saved before", err)
	}
	return fmt.Errorf("%w; the last good checkpoint is %s", err, found[0].Path)
}

func (t *training) close() error {
	errs := []error{t.late, t.saving.wait(), t.loop.close()}
	if t.trainer != nil && t.trainer.Stepper != nil {
		t.trainer.Close()
		errs = append(errs, t.trainer.free())
	}
	if t.model != nil && t.model.Base != nil {
		errs = append(errs, t.model.Close())
	}
	if t.model != nil && t.model.Checkpoint != nil {
		errs = append(errs, t.model.Checkpoint.Close())
	}
	return errors.Join(errs...)
}
