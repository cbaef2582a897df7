package models

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// checkRunFolder returns a usage error that says what to name instead of the output folder of a run that has no model
// of its own: the models of its stages, or the last checkpoint of a stage that has not finished. It returns nil for
// other folders.
func checkRunFolder(dir string) error {
	if recipe.PathExists(filepath.Join(dir, config.ConfigFile)) {
		return nil // a model
	}
	last := lastCheckpoint(dir)
	unfinished, _ := filepath.Glob(filepath.Join(globQuote(dir), "*", rundir.Checkpoints))
	for _, folder := range unfinished {
		if stage := filepath.Dir(folder); last == "" && !recipe.PathExists(filepath.Join(stage, rundir.Model)) {
			last = lastCheckpoint(stage)
		}
	}
	if last != "" {
		return usage.Errorf("the run has not finished: continue it with -set=resume_from_checkpoint=true, or write its "+
			"last checkpoint as a model with bfpo export -model=%s -out=FOLDER", usage.Argument(last))
	}
	var stages []string
	found, _ := filepath.Glob(filepath.Join(globQuote(dir), "*", rundir.Model, config.ConfigFile))
	for _, file := range found {
		stages = append(stages, usage.Word(filepath.Dir(filepath.Dir(file))))
	}
	if len(stages) == 1 {
		return usage.Errorf("it holds the model of a stage: name %s", stages[0])
	} else if len(stages) > 1 {
		return usage.Errorf("it holds several models: name one of them, %s", usage.OneOf(stages))
	}
	return nil
}

// lastCheckpoint returns the checkpoint of the highest step in the output folder of a run, or "".
func lastCheckpoint(dir string) string {
	dir = filepath.Join(dir, rundir.Checkpoints)
	entries, _ := os.ReadDir(dir)
	step := func(e os.DirEntry) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(e.Name(), rundir.StepPrefix))
		return n
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() || step(e) == 0 })
	if len(entries) == 0 {
		return ""
	}
	last := slices.MaxFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(step(a), step(b)) })
	return filepath.Join(dir, last.Name())
}

// globQuote returns a pattern that matches a path itself.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
