package bfpo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	stepAnswersName = "answers.jsonl"      // of generate_during_eval
	stepPrefix      = "step-"              // begins the names of checkpoints and of evaluations in the loop
	finishedName    = "train_results.json" // written when all else is: a folder that has it holds a finished run
)

// Finished tells whether dir holds a finished run.
func Finished(dir string) bool { return exists(filepath.Join(dir, finishedName)) }

// runNames are all that a run leaves, which overwrite_output_dir removes; other files in the folder stay.
func runNames() []string {
	return []string{configName, metricsName, stepAnswersName, modelName, checkpointsName, eventsName, reportName, cardName, stateFileName, finishedName,
		"all_results.json", "eval_results.json"}
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
