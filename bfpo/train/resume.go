package train

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
)

// runState returns where a run stands, without its best evaluation.
func runState(s *Stage) checkpoint.State {
	t := s.Trainer
	state := checkpoint.State{
		Step: t.Step, Main: t.main.Cursor(), MainRows: t.main.Rows(), Settings: s.Config.Settings(), Identity: s.made,
	}
	if t.buffer != nil {
		state.Buffer, state.BufferRows = t.buffer.Cursor(), t.buffer.Rows()
	}
	return state
}

// resume goes back to the checkpoint that resume_from_checkpoint names: the newest complete one of the folder dir, or a
// folder. It returns the best evaluation before that checkpoint, nil where there was none. run is the run's folder.
func resume(s *Stage, dir, run string) (*checkpoint.Best, error) {
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
	return restore(s, from, run)
}

func restore(s *Stage, from *checkpoint.Checkpoint, run string) (*checkpoint.Best, error) {
	saved, err := from.State()
	if err != nil {
		return nil, err
	}
	now, t := runState(s), s.Trainer
	progress := recipe.InterruptedRun{
		Step:         saved.Step,
		MainRows:     saved.MainRows,
		BufferRows:   saved.BufferRows,
		Settings:     saved.Settings,
		KnowsContent: saved.Identity != nil,
	}
	if err := s.Config.CheckResume(progress, now.MainRows, now.BufferRows); err != nil {
		return nil, err
	}
	if err := checkOrigin(s, from, saved, run); err != nil {
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
	logRounding(s, saved.Identity)
	s.Log().Info(fmt.Sprintf("continuing after step %d of %s", saved.Step, from.Path))
	return saved.Best, nil
}

// checkOrigin refuses a checkpoint of another model, tokenizer, template or data, and logs that do not continue its
// own. It says what it cannot check.
func checkOrigin(s *Stage, from *checkpoint.Checkpoint, saved checkpoint.State, run string) error {
	if saved.Identity == nil {
		s.Log().Warn(fmt.Sprintf("checkpoint %s was saved by an earlier version: it cannot be checked that the model, "+
			"the tokenizer, the chat template and the rows are the ones that it was trained with", from.Path))
		return nil
	}
	what := "checkpoint " + from.Path
	err := checkIdentity(what, saved.Identity, s.made, s.Inputs.Checkpoint, saved.Best != nil)
	if err != nil {
		return err
	}
	if was, now := saved.Identity.Rows[heldOutSet], s.made.Rows[heldOutSet]; was != "" && now != "" && was != now {
		s.Log().Warn(fmt.Sprintf("the held-out rows are not those of the evaluations before step %d: "+
			"the numbers before and after it cannot be compared", saved.Step))
	}
	logs, err := from.Logs()
	if err != nil {
		return err
	}
	missing, err := checkLogs(run, logs)
	if err == nil && len(missing) > 0 {
		s.Log().Warn(fmt.Sprintf("%s of the steps up to %d is not in %s: the report begins after them",
			strings.Join(missing, " and "), saved.Step, run))
	}
	return err
}

// logRounding logs that a run goes on with other programs than it began with, whose results may be rounded otherwise.
func logRounding(s *Stage, was *checkpoint.Identity) {
	now := s.made
	if was == nil || was.Platform == now.Platform && was.Programs == now.Programs {
		return
	}
	s.Log().Info(fmt.Sprintf("the run began with other programs (platform %s, now %s; another version, processor, mesh "+
		"or batch size): it continues, and its numbers differ from an uninterrupted run's by rounding",
		was.Platform, now.Platform))
}
