package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// claimOutput makes dir ready for a run, or says why it is not: a run is finished there, or one could be resumed, and the recipe says
// neither overwrite_output_dir nor resume_from_checkpoint. It finds out now that nothing can be written there, not after training. It
// changes nothing in the folder: begin does. Call release when it does not come to that; it removes the folder if it was made here.
func claimOutput(dir string, c recipe.Config) (release func(), err error) {
	made := !recipe.Exists(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	release = func() {
		if made {
			os.Remove(dir) // does nothing to one that someone else has put something into
		}
	}
	err = errors.Join(probe(dir), unclaimed(dir, c))
	if err != nil {
		release()
	}
	return release, err
}

// probe finds out whether files can be written to a folder.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, "."+rundir.Config+".*")
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// unclaimed returns an error when dir holds a run that the recipe does not ask to replace or to go on with.
func unclaimed(dir string, c recipe.Config) error {
	resume := c.ResumeFromCheckpoint != recipe.Off
	switch {
	case c.OverwriteOutputDir && !resume:
		return nil
	case rundir.Finished(dir):
		return usage.Errorf("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	case resume:
		return nil
	}
	found, err := checkpoint.List(filepath.Join(dir, rundir.Checkpoints))
	if err == nil && len(found) > 0 {
		err = usage.Errorf("%s holds an unfinished run (step %d): go on with -set=resume_from_checkpoint=true, or replace it with "+
			"-set=overwrite_output_dir=true", dir, found[0].Step)
	}
	return err
}

// begin makes the folder this run's, now that all that the recipe names was found good: what it replaces goes, the resolved recipe comes.
func (t *training) begin(context.Context) error {
	t.begun = true
	var replaced []string
	if t.config.OverwriteOutputDir && t.config.ResumeFromCheckpoint == recipe.Off {
		replaced = append(rundir.Names(), rundir.StepFolders(t.dir)...)
	}
	if err := rundir.Remove(t.dir, replaced); err != nil {
		return err
	}
	text, err := t.config.YAML()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(t.dir, rundir.Config), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}
