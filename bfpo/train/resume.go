package train

import (
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
)

// runState returns where a run stands, without its best evaluation.
func runState(s *Stage) checkpoint.State {
	t := s.Trainer
	state := checkpoint.State{Step: t.Step, Main: t.main.Cursor(), MainRows: t.main.Rows(), Settings: s.Config.Settings()}
	if t.buffer != nil {
		state.Buffer, state.BufferRows = t.buffer.Cursor(), t.buffer.Rows()
	}
	return state
}

// resume goes back to the checkpoint that resume_from_checkpoint names: the newest complete one of the folder dir, or a
// folder. It returns the best evaluation before that checkpoint, nil where there was none.
func resume(s *Stage, dir string) (*checkpoint.Best, error) {
	var from *checkpoint.Checkpoint
	var err error
	switch resume := s.Config.ResumeFromCheckpoint; resume {
	case recipe.Off:
		return nil, checkpoint.RemoveTemporary(dir)
	case recipe.On:
		if err := checkpoint.RemoveTemporary(dir); err != nil {
			return nil, err
		}
		from, err = checkpoint.Latest(dir, s.Log())
	default:
		from, err = checkpoint.Open(string(resume))
	}
	if err != nil {
		return nil, err
	}
	if from == nil {
		s.Log().Info(fmt.Sprintf("no checkpoint in %s: starting from the beginning", dir))
		return nil, nil
	}
	return restore(s, from)
}

func restore(s *Stage, from *checkpoint.Checkpoint) (*checkpoint.Best, error) {
	saved, err := from.State()
	if err != nil {
		return nil, err
	}
	now, t := runState(s), s.Trainer
	progress := recipe.InterruptedRun{
		Step:       saved.Step,
		MainRows:   saved.MainRows,
		BufferRows: saved.BufferRows,
		Settings:   saved.Settings,
	}
	if err := s.Config.CheckResume(progress, now.MainRows, now.BufferRows); err != nil {
		return nil, err
	}
	if err := t.Restore(s.Device, from); err != nil {
		return nil, err
	}
	if err := t.main.Seek(saved.Main); err != nil {
		return nil, fmt.Errorf("main set: %w", err)
	}
	if t.buffer != nil {
		if err := t.buffer.Seek(saved.Buffer); err != nil {
			return nil, fmt.Errorf("buffer set: %w", err)
		}
	}
	s.Log().Info(fmt.Sprintf("continuing after step %d of %s", saved.Step, from.Path))
	return saved.Best, nil
}
