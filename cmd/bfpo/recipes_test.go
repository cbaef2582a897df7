package main

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
)

func TestRecipesLoad(t *testing.T) {
	files, err := recipes()
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		name, ok := strings.CutSuffix(path, ".yaml")
		if err != nil || !ok {
			return err
		}
		loaded++
		var c recipe.Config
		switch name {
		case "gate":
			c, _, err = recipe.LoadGate(files, name, nil)
			c.Stages = make([]recipe.Stage, 1) // it needs no objective
		case "study":
			c, _, err = recipe.LoadStudy(files, name, nil)
			c.Stages = make([]recipe.Stage, 1)
		default:
			c, err = recipe.Load(files, name, nil)
		}
		switch {
		case err != nil:
			t.Error(err)
		case len(c.Ignored)+len(c.Notices) > 0:
			t.Errorf("%s: ignored keys %v, notices %v", name, c.Ignored, c.Notices)
		case len(c.Stages) == 0 && c.Origin("objective") == "":
			t.Errorf("%s: names no objective", name)
		}
		return nil
	})
	if err != nil || loaded < 7 {
		t.Error(loaded, err)
	}
}

// On eight GPUs a step has as many rows as in the original code.
func TestZephyrBatch(t *testing.T) {
	files, err := recipes()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"sft": 32, "bfpo": 32, "redteam": 16} {
		c, err := recipe.Load(files, "zephyr-7b/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := 8 * c.PerDeviceTrainBatchSize * c.GradientAccumulationSteps; got != want || c.LearningRate != 5e-7 ||
			!c.UseSelective {
			t.Errorf("%s: %d rows a step at rate %v", name, got, c.LearningRate)
		}
	}
}
