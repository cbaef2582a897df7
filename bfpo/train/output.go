package train

import (
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
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// claimOutput makes dir ready for a run. It refuses a folder that cannot be written to, and one that holds a finished
// run, or one that could be resumed, unless the recipe has overwrite_output_dir or resume_from_checkpoint. It changes
// nothing in the folder: takeOutput does. If the run does not start, call release: it removes the folder if
// claimOutput made it.
func claimOutput(dir string, c recipe.Config) (release func(), err error) {
	made := !recipe.PathExists(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output folder: %w; choose another -out", err)
	}
	release = func() {
		if made {
			os.Remove(dir) // fails, as it should, where someone else has put something into it
		}
	}
	err = rundir.CheckLinks(dir)
	if err == nil {
		err = errors.Join(probe(dir), unclaimed(dir, c))
	}
	if err == nil {
		err = rundir.CheckForeign(dir, rundir.OutputNames(), replaces(c))
	}
	if err != nil {
		release()
	}
	return release, err
}

// replaces reports whether the recipe replaces an earlier run in its folder.
func replaces(c recipe.Config) bool {
	return c.OverwriteOutputDir && c.ResumeFromCheckpoint == recipe.Off
}

// probe finds out whether files can be written to a folder. A run that is killed here leaves a temporary name, which
// the resumed run removes.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, atomicfile.TemporaryPrefix+"probe-*")
	if err != nil {
		return fmt.Errorf("output folder: %w; choose another -out", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// unclaimed returns an error when dir holds a run that the recipe does not ask to replace or to continue.
func unclaimed(dir string, c recipe.Config) error {
	resume := c.ResumeFromCheckpoint != recipe.Off
	switch {
	case replaces(c):
		return nil
	case rundir.Finished(dir):
		return usage.Errorf("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true",
			dir)
	case resume:
		return nil
	}
	found, err := checkpoint.List(filepath.Join(dir, rundir.Checkpoints))
	if err == nil && len(found) > 0 {
		err = usage.Errorf("%s holds an unfinished run (step %d): continue it with -set=resume_from_checkpoint=true, "+
			"or replace it with -set=overwrite_output_dir=true", dir, found[0].Step)
	}
	return err
}

// takeOutput makes the folder this run's, after everything that the recipe names was found good: it removes what the
// run replaces and writes the resolved recipe.
func takeOutput(dir string, c recipe.Config) error {
	var replaced []string
	if replaces(c) {
		replaced = append(rundir.OutputNames(), rundir.EvaluationFolders(dir)...)
	}
	if err := errors.Join(rundir.CheckLinks(dir), rundir.Remove(dir, replaced)); err != nil {
		return err
	}
	if err := pretrained.CheckReplaceable(filepath.Join(dir, rundir.Model)); err != nil {
		return fmt.Errorf("folder of the model: %w", err)
	}
	if err := rundir.Claim(dir, rundir.OutputNames()); err != nil {
		return err
	}
	text, err := c.YAML()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, rundir.Config), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}
