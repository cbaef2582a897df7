package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// Training is one training stage under way, for a program that wants the loop for itself, such as a notebook that draws the curves; Train
// is the loop for all others.
//
//	t, err := bfpo.Begin(ctx, rt, config, dir)
//	defer t.Close()
//	for m, err := range t.Steps(ctx) { … }
//	_, _, err = t.Finish(ctx)
type Training struct {
	stage   *training
	release func()
}

// Begin gets a training stage ready for its first step: the model is loaded, the data read, the programs compiled, and dir is the run's.
// Close it after use.
func Begin(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) (*Training, error) {
	release, err := claimOutput(dir, c)
	if err != nil {
		return nil, err
	}
	s := &training{Runtime: rt, config: c, name: c.Objective, dir: dir, started: time.Now()}
	t := &Training{s, release}
	for _, part := range []func(context.Context) error{s.open, s.prepare, s.resume, s.precompute, s.begin, s.announce} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

// Steps runs the steps that are left and yields the metrics of each, after they were written; between them it evaluates and saves as the
// recipe says. It stops after an error; that of an interrupted run wraps ErrInterrupted, and its state is saved then.
func (t *Training) Steps(ctx context.Context) iter.Seq2[track.Metrics, error] {
	return t.stage.steps(ctx)
}

// Total is the number of optimizer steps of the whole run.
func (t *Training) Total() int { return t.stage.trainer.steps.Total }

// Finish writes the model and what is said of it into the run's folder, and returns what it wrote of itself there. It refuses a run with
// steps left: that one can be resumed.
func (t *Training) Finish(ctx context.Context) (report.Stage, report.Card, error) {
	if done := t.stage.trainer.Step; done < t.Total() {
		return report.Stage{}, report.Card{}, fmt.Errorf("%s: %d of %d steps are done: go on with Steps, or set max_steps=%d", t.stage.dir, done, t.Total(), done)
	}
	if err := t.stage.finish(ctx); err != nil {
		return report.Stage{}, report.Card{}, err
	}
	return t.stage.report(), t.stage.card(), nil
}

// Close frees the model and the programs. A folder in which nothing was begun goes.
func (t *Training) Close() error {
	err := t.stage.close()
	if !t.stage.begun {
		t.release()
	}
	return err
}
