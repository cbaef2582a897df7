package train

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// saver writes the checkpoints of a run.
type saver struct {
	stage   *Stage
	dir     string // of the checkpoints
	run     string // the run's folder
	metrics *track.MetricsLog
	best    *checkpoint.Best // evaluation that load_best_model_at_end goes back to; nil before the first
	saved   int              // step of the newest checkpoint that this process has begun to write
	saving  background       // the checkpoint that is being written
}

// save begins to write a checkpoint of the present step and to delete checkpoints beyond save_total_limit. The steps
// continue meanwhile: they wait for the copy of the state to the host, and for the checkpoint before this one where it
// is still being written.
func (s *saver) save() error {
	if err := s.saving.wait(); err != nil {
		return err
	}
	if err := s.metrics.Sync(); err != nil { // a run that resumes here finds the lines of all steps before
		return err
	}
	number, limit, best := s.stage.Trainer.Step, s.stage.Config.SaveTotalLimit, -1
	if s.best != nil {
		best = s.best.Step
	}
	files, err := s.stage.Trainer.Files()
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", number, err)
	}
	state := runState(s.stage)
	state.Best = s.best
	logs, err := markLogs(s.run)
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", number, err)
	}
	files = append(files, state.File(), logs.File())
	s.saved = number
	s.saving.begin(func() error {
		if _, err := checkpoint.Save(s.dir, number, files); err != nil {
			return err
		}
		return checkpoint.Prune(s.dir, limit, best)
	})
	return nil
}

// restoreBest puts the weights of the best evaluation in place of the last step's.
func (s *saver) restoreBest() error {
	t := s.stage.Trainer
	if !s.stage.Config.LoadBestModelAtEnd || s.best == nil || s.best.Step == t.Step {
		return nil
	}
	best, err := checkpoint.Open(filepath.Join(s.dir, fmt.Sprintf("%s%d", rundir.StepPrefix, s.best.Step)))
	if err != nil {
		return fmt.Errorf("load_best_model_at_end: %w", err)
	}
	steps := t.Step
	if err := t.Restore(s.stage.Device, best); err != nil {
		return err
	}
	t.Step = steps
	s.stage.Log().Info(fmt.Sprintf("took the model of step %d, which has the lowest eval_loss, %.4g", s.best.Step,
		s.best.Value))
	return nil
}

// interrupt saves the state of a run that was told to stop, and returns the error that says so.
func (s *saver) interrupt() error {
	number := s.stage.Trainer.Step
	if number == 0 {
		return fmt.Errorf("%w before the first step; nothing to save", usage.ErrInterrupted)
	}
	if s.saved != number {
		if err := s.save(); err != nil {
			return err
		}
	}
	if err := s.saving.wait(); err != nil {
		return err
	}
	return fmt.Errorf("%w after step %d, which is saved in %s", usage.ErrInterrupted, number, s.dir)
}

// explain adds to the error that ended a run the checkpoint from which training can continue.
func (s *saver) explain(err error) error {
	if failed := s.saving.wait(); failed != nil && !errors.Is(err, failed) {
		err = errors.Join(err, failed)
	}
	good := s.lastGood()
	if good == nil {
		return fmt.Errorf("%w; no checkpoint was saved before", err)
	}
	err = fmt.Errorf("%w; the last good checkpoint is %s", err, good.Path)
	if usage.Advice(err) != "" {
		err = fmt.Errorf("%w: continue there with -set=resume_from_checkpoint=true", err)
	}
	if _, ok := errors.AsType[*track.NonFiniteError](err); ok && good.Step == s.stage.Trainer.Step {
		err = fmt.Errorf("%w; its weights are the ones that gave this, so a run resumed there fails again: begin a new one, "+
			"for instance with a lower learning_rate", err)
	}
	return err
}

// lastGood returns the newest checkpoint that is intact and whose values are finite, or nil.
func (s *saver) lastGood() *checkpoint.Checkpoint {
	found, _ := checkpoint.List(s.dir)
	for _, f := range found {
		if c, err := checkpoint.Open(f.Path); err == nil && step.CheckFinite(c) == nil {
			return c
		}
	}
	return nil
}
