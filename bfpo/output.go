package bfpo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Names in the folder of a training run.
const (
	configName      = "config.yaml"
	metricsName     = "metrics.jsonl"
	modelName       = "model"
	checkpointsName = "checkpoints"
	eventsName      = "runs"
	evaluationsName = "eval" // of evaluations in the loop, eval/step-N
	reportName      = "report.html"
	cardName        = "README.md"
	stateFileName   = "trainer_state.json"
	finishedName    = "train_results.json" // written when all else is: a folder that has it holds a finished run
)

// ErrInterrupted is wrapped by the error of a run that was told to stop and has saved its state.
var ErrInterrupted = errors.New("interrupted")

// runNames are all that a run leaves, which overwrite_output_dir removes; other files in the folder stay.
func runNames() []string {
	return []string{configName, metricsName, stepAnswersName, modelName, checkpointsName, eventsName, reportName, cardName, stateFileName, finishedName,
		"all_results.json", "eval_results.json"}
}

// Finished tells whether dir holds a finished run.
func Finished(dir string) bool { return exists(filepath.Join(dir, finishedName)) }

// claimOutput makes dir ready for a run, or says why it is not: a run is finished there, or one could be resumed, and the recipe says
// neither overwrite_output_dir nor resume_from_checkpoint. It finds out now that nothing can be written there, not after training. It
// changes nothing in the folder: begin does. Call release when it does not come to that; it removes the folder if it was made here.
func claimOutput(dir string, c Config) (release func(), err error) {
	made := !exists(dir)
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
	file, err := os.CreateTemp(dir, "."+configName+".*")
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// unclaimed returns an error when dir holds a run that the recipe does not ask to replace or to go on with.
func unclaimed(dir string, c Config) error {
	resume := c.ResumeFromCheckpoint != Off
	switch {
	case c.OverwriteOutputDir && !resume:
		return nil
	case Finished(dir):
		return Usagef("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	case resume:
		return nil
	}
	found, err := Checkpoints(filepath.Join(dir, checkpointsName))
	if err == nil && len(found) > 0 {
		err = Usagef("%s holds an unfinished run (step %d): go on with -set=resume_from_checkpoint=true, or replace it with "+
			"-set=overwrite_output_dir=true", dir, found[0].Step)
	}
	return err
}

// begin makes the folder this run's, now that all that the recipe names was found good: what it replaces goes, the resolved recipe comes.
func (t *training) begin(context.Context) error {
	t.begun = true
	var replaced []string
	if t.config.OverwriteOutputDir && t.config.ResumeFromCheckpoint == Off {
		replaced = append(runNames(), stepFolders(t.dir)...)
	}
	if err := removeRun(t.dir, replaced); err != nil {
		return err
	}
	text, err := t.config.YAML()
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(t.dir, configName), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// stepFolders are the evaluations in the loop, relative to a run's folder.
func stepFolders(dir string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(dir, evaluationsName))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stepPrefix) {
			names = append(names, filepath.Join(evaluationsName, e.Name()))
		}
	}
	return names
}

// removeRun removes the named files and folders of a run, and what a killed run left under temporary names.
func removeRun(dir string, names []string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for _, name := range runNames() {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "."+name+".") {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	return nil
}
