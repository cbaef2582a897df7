package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Run runs the stages of a recipe in order. Each training stage starts from the model of the stage before. dir gets one
// folder for each stage and one report over all of them:
//
//	dir/1-sft  dir/2-bfpo  dir/eval/before  dir/eval/after  dir/report.html
//
// With resume_from_checkpoint, stages that are finished do not run again.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, dir string) (err error) {
	if isNew := !recipe.PathExists(dir); isNew {
		defer func() {
			if err != nil {
				os.Remove(dir) // fails, as it should, once a stage has written something there
			}
		}()
	}
	p := New(rt, c, dir)
	for i, stage := range c.Stages {
		if stage.Kind != "eval" || i == 0 {
			continue
		}
		if err := p.CheckEvaluation(ctx, c.Stages[0].Config.Model, c.Stages[i-1].Config, stage.Eval); err != nil {
			return fmt.Errorf("stage %d (%s): %w", i+1, stage.Kind, err)
		}
	}
	if err := Claim(dir, c); err != nil {
		return err
	}
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

// CheckEvaluation reads the held-out rows and the prompts of an evaluation with the model that training starts from, so
// that a fault in them is found before anything is trained, and compares them with the rows of that training. It logs
// what the user should know about them, which Evaluate does not say again. c is the recipe of the last training stage.
func (p *Pipeline) CheckEvaluation(ctx context.Context, name string, c recipe.Config, e recipe.EvalStage) error {
	if name == "" || len(e.DatasetMixer) == 0 && e.Prompts == "" {
		return nil // without a model the first stage says so
	}
	model, err := models.Open(ctx, name, p.Hub, p.Cache, p.Log())
	if err != nil {
		return err
	}
	defer model.Close()
	language, err := models.NewChatTokenizer(ctx, model, c)
	if err != nil {
		return err
	}
	set, _, err := data.ReadEvaluation(ctx, c, model.Config, language, e, p.Hub, p.Cache, p.Log())
	if err != nil {
		return err
	}
	if set.Rows > 0 && !p.resume { // the stage of a resumed run may be finished, and its rows be gone
		sets, err := data.Read(ctx, c, model.Config, language, p.Hub, p.Cache) // training takes them from the cache
		if err != nil {
			return err
		}
		data.NoteOverlap(&set, sets.Main, sets.Buffer)
	}
	if len(set.Drops)+len(set.Notes) > 0 {
		p.Log().Warn(set.String())
	}
	return nil
}

// Claim creates dir, or prepares an existing one for a run. A folder that holds a finished run is a usage error, unless
// the recipe overwrites it. Claim removes an old report first, so that a run that is stopped while it replaces another
// one is not taken for finished, and it removes what a killed run left under temporary names.
func Claim(dir string, c recipe.Config) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if err := rundir.CheckLinks(dir); err != nil {
		return err
	}
	reportOnly := []string{rundir.Report}
	if err := rundir.CheckForeign(dir, reportOnly, false); err != nil {
		return err
	}
	if !c.OverwriteOutputDir && recipe.PathExists(filepath.Join(dir, rundir.Report)) {
		return usage.Errorf(
			"%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	for _, side := range sides() {
		if err := rundir.RemoveTemporary(filepath.Join(dir, rundir.Evaluations, side)); err != nil {
			return err
		}
	}
	if err := rundir.Remove(dir, reportOnly); err != nil {
		return err
	}
	return rundir.Claim(dir, reportOnly)
}
