package train

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// save begins to write a checkpoint of the present step and to delete those beyond save_total_limit. The steps go on meanwhile: they wait
// for the copy of the state to the host, and for the checkpoint before this one where it is still being written.
func (t *training) save() error {
	if err := t.saving.wait(); err != nil {
		return err
	}
	if err := t.metrics.Sync(); err != nil { // a run that resumes here finds the lines of all steps before
		return err
	}
	step, limit, best := t.trainer.Step, t.config.SaveTotalLimit, -1
	if t.best != nil {
		best = t.best.Step
	}
	files, err := t.trainer.files()
	if err != nil {
		return fmt.Errorf("checkpoint of step %d: %w", step, err)
	}
	files = append(files, t.state().File())
	t.saved = step
	t.saving.begin(func() error {
		dir := filepath.Join(t.dir, rundir.Checkpoints)
		if _, err := checkpoint.Save(dir, step, files); err != nil {
			return err
		}
		return checkpoint.Prune(dir, limit, best)
	})
	return nil
}

// state is where the run stands.
func (t *training) state() checkpoint.State {
	s := checkpoint.State{
		Step: t.trainer.Step, Main: t.trainer.main.Cursor(), MainRows: t.trainer.main.rows(),
		Best: t.best, Settings: t.config.Settings(),
	}
	if t.trainer.buffer != nil {
		s.Buffer, s.BufferRows = t.trainer.buffer.Cursor(), t.trainer.buffer.rows()
	}
	return s
}

// resume goes back to the checkpoint that resume_from_checkpoint names: the newest whole one of this folder, or a folder.
func (t *training) resume(context.Context) error {
	dir := filepath.Join(t.dir, rundir.Checkpoints)
	var from *checkpoint.Checkpoint
	var err error
	switch t.config.ResumeFromCheckpoint {
	case recipe.Off:
		return checkpoint.Clean(dir)
	case recipe.On:
		if err := checkpoint.Clean(dir); err != nil {
			return err
		}
		from, err = checkpoint.Latest(dir, t.Notice)
	default:
		from, err = checkpoint.Open(string(t.config.ResumeFromCheckpoint))
	}
	if err != nil {
		return err
	}
	if from == nil {
		t.Notice("no checkpoint in %s: starting from the beginning", dir)
		return nil
	}
	return t.restoreFrom(from)
}

func (t *training) restoreFrom(from *checkpoint.Checkpoint) error {
	s, err := from.State()
	if err != nil {
		return err
	}
	now := t.state()
	progress := recipe.Progress{Step: s.Step, MainRows: s.MainRows, BufferRows: s.BufferRows, Settings: s.Settings}
	if err := t.config.CheckResume(progress, now.MainRows, now.BufferRows); err != nil {
		return err
	}
	if err := t.trainer.restore(t.Device, from); err != nil {
		return err
	}
	if err := t.trainer.main.Seek(s.Main); err != nil {
		return fmt.Errorf("main set: %w", err)
	}
	if t.trainer.buffer != nil {
		if err := t.trainer.buffer.Seek(s.Buffer); err != nil {
			return fmt.Errorf("buffer set: %w", err)
		}
	}
	t.best, t.saved = s.Best, s.Step
	t.Notice("going on after step %d of %s", s.Step, from.Path)
	return nil
}

// evaluate measures the held-out rows and what the recipe wants besides, and remembers the best step.
func (t *training) evaluate(ctx context.Context, to track.Tracker) error {
	started := time.Now()
	tally := tally{objective: t.trainer.options.Objective}
	for _, b := range t.held {
		reports, err := inRounds(b, t.mesh.Devices(), t.trainer.Measure)
		if err != nil {
			return fmt.Errorf("evaluation after step %d: %w", t.trainer.Step, err)
		}
		tally.add(b, reports)
	}
	m := tally.metrics(t.config.LogRows)
	m.Evaluation = true
	if !t.config.LogRows {
		m.Rows = nil
	}
	m.Step, m.Epoch, m.Seconds = t.trainer.Step, t.trainer.epochs(), time.Since(started).Seconds()
	if err := t.measureInLoop(ctx, &m); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return err
	}
	// Only a step that gets a checkpoint can be gone back to.
	kept := t.config.LoadBestModelAtEnd && t.due(t.config.SaveStrategy, t.config.SaveSteps)
	if kept && (t.best == nil || m.Loss < t.best.Value) {
		t.best = &checkpoint.Best{Metric: "eval_loss", Value: m.Loss, Step: t.trainer.Step}
	}
	return to.Track(m)
}
