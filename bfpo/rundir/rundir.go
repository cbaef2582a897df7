// Package rundir names the files and folders of a training run's output folder, and removes them. It imports nothing of
// bfpo but the leaf graph/atomicfile.
package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Names in the folder of a training run.
const (
	Config       = "config.yaml"
	Metrics      = "metrics.jsonl"
	Model        = "model"
	Checkpoints  = "checkpoints"
	Events       = "runs"
	Evaluations  = "eval" // of evaluations in the loop, eval/step-N
	Report       = "report.html"
	Card         = "README.md"
	TrainerState = "trainer_state.json"
	Answers      = "answers.jsonl"      // of generate_during_eval
	StepPrefix   = "step-"              // begins the names of checkpoints and of evaluations in the loop
	TrainResults = "train_results.json" // written when all else is: a folder that has it holds a finished run
)

// Finished tells whether dir holds a finished run.
func Finished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, TrainResults))
	return err == nil
}

// Names lists everything that a run leaves in its folder. overwrite_output_dir removes these, and keeps other files.
func Names() []string {
	return []string{Config, Metrics, Answers, Model, Checkpoints, Events, Report, Card, TrainerState, TrainResults,
		"all_results.json", "eval_results.json"}
}

// StepFolders lists the evaluations in the loop, relative to a run's folder.
func StepFolders(dir string) (names []string) {
	entries, err := os.ReadDir(filepath.Join(dir, Evaluations))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), StepPrefix) {
			names = append(names, filepath.Join(Evaluations, e.Name()))
		}
	}
	return names
}

// Remove removes the named files and folders of a run, and what a killed run left under temporary names.
func Remove(dir string, names []string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for _, name := range Names() {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), atomicfile.TemporaryPrefix+name+"-") {
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
