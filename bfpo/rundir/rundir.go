package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
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
func Finished(dir string) bool { return recipe.Exists(filepath.Join(dir, TrainResults)) }

// runNames are all that a run leaves, which overwrite_output_dir removes; other files in the folder stay.
func Names() []string {
	return []string{Config, Metrics, Answers, Model, Checkpoints, Events, Report, Card, TrainerState, TrainResults,
		"all_results.json", "eval_results.json"}
}

// stepFolders are the evaluations in the loop, relative to a run's folder.
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

// removeRun removes the named files and folders of a run, and what a killed run left under temporary names.
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
