package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Run goes through the stages of a recipe in order, each training stage on the model of the one before, and leaves one folder a stage
// and one report on top:
//
//	dir/1-sft  dir/2-bfpo  dir/eval/before  dir/eval/after  dir/report.html
//
// With resume_from_checkpoint, finished stages are not run again.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) (err error) {
	if made := !recipe.Exists(dir); made {
		defer func() {
			if err != nil {
				os.Remove(dir) // does nothing once a stage has begun there
			}
		}()
	}
	if err := Claim(dir, c); err != nil {
		return err
	}
	p := New(rt, c, dir)
	for i, stage := range c.Stages {
		var err error
		switch stage.Kind {
		case "eval":
			err = p.Evaluate(ctx, stage.Eval)
		default:
			err = p.Train(ctx, i+1, stage.Config)
		}
		if err != nil {
			return fmt.Errorf("stage %d (%s): %w", i+1, stage.Kind, err)
		}
	}
	return p.Finish()
}

// Claim makes dir ready, or says why it is not: all stages are finished there. An old report goes first, so that a run that is
// stopped while it replaces another is not taken for a finished one.
func Claim(dir string, c recipe.Config) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if !c.OverwriteOutputDir && recipe.Exists(filepath.Join(dir, rundir.Report)) {
		return usage.Errorf("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	return rundir.Remove(dir, []string{rundir.Report})
}
