// Package rundir names what a training run writes into its output folder, and removes it.
//
// Training writes under these names, and the stages after it, the report and bfpo export read by them. A folder holds
// a finished run if it has TrainResults, which is written last. Lock keeps a second process out of a folder, and
// CheckLinks refuses links that would lead writes elsewhere. A manifest records which files are a run's: Foreign names
// the others, which a run neither replaces nor removes.
//
// The package imports only graph/atomicfile and bfpo/usage.
package rundir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Names in the output folder of a training run.
const (
	Config       = "config.yaml"
	Metrics      = "metrics.jsonl"
	Model        = "model"
	Checkpoints  = "checkpoints"
	Events       = "runs"
	Evaluations  = "eval" // the evaluations during training, eval/step-N
	Report       = "report.html"
	Card         = "README.md"
	TrainerState = "trainer_state.json"
	Answers      = "answers.jsonl"      // written by generate_during_eval
	StepPrefix   = "step-"              // begins the names of checkpoints and of evaluations during training
	Provenance   = "provenance.json"    // what a finished run was made with
	TrainResults = "train_results.json" // written last
	Manifest     = ".bfpo-run.json"     // lists what in the folder is the run's
)

// Finished reports whether dir holds a finished run.
func Finished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, TrainResults))
	return err == nil
}

// OutputNames lists everything that a run writes into its folder, apart from the evaluations during training, which
// EvaluationFolders lists. overwrite_output_dir removes both and keeps all other files.
func OutputNames() []string {
	return []string{Config, Metrics, Answers, Model, Checkpoints, Events, Report, Card, TrainerState, TrainResults,
		Provenance, "all_results.json", "eval_results.json"}
}

// EvaluationFolders lists the folders of the evaluations during training, relative to the run's folder dir.
func EvaluationFolders(dir string) (names []string) {
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

// Remove removes the named files and folders from the run's folder dir, and what a killed run left under temporary
// names there, in its model's folder and in those of its evaluations.
func Remove(dir string, names []string) error {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	for _, name := range append(OutputNames(), Manifest) {
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), atomicfile.TemporaryPrefix+name+"-") {
				paths = append(paths, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, name := range append(EvaluationFolders(dir), Model) {
		if err := RemoveTemporary(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, path := range paths {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	return nil
}
