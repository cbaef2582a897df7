package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/train"
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
	if err := ClaimPipeline(dir, c); err != nil {
		return err
	}
	p := Pipeline{Runtime: rt, Dir: dir, Resume: c.ResumeFromCheckpoint != recipe.Off, Started: time.Now()}
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

// claimPipeline makes dir ready, or says why it is not: all stages are finished there. An old report goes first, so that a run that is
// stopped while it replaces another is not taken for a finished one.
func ClaimPipeline(dir string, c recipe.Config) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if !c.OverwriteOutputDir && recipe.Exists(filepath.Join(dir, rundir.Report)) {
		return usage.Errorf("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	return rundir.Remove(dir, []string{rundir.Report})
}

// pipeline is what the stages of a run pass on.
type Pipeline struct {
	models.Runtime
	Dir     string
	Resume  bool
	Started time.Time

	first     string        // the model that the first stage started from
	reference string        // the model that the last preference stage started from
	last      string        // the model that the last stage left
	Config    recipe.Config // of the last training stage
	Reports   []report.Stage
	card      report.Card // of the last training stage; empty where an earlier run finished it

	Tasks      []evaluate.Task // measured besides those of the recipe
	comparison report.Comparison
	answers    []report.Answer
}

// train runs one training stage, or takes what an earlier run left of it.
func (p *Pipeline) Train(ctx context.Context, number int, c recipe.Config) error {
	if p.last != "" && c.Model == "" {
		c.Model = p.last
	}
	dir := filepath.Join(p.Dir, fmt.Sprintf("%d-%s", number, c.Objective))
	if p.Resume && rundir.Finished(dir) {
		p.Notice("%s is finished already", dir)
		report, err := finishedReport(dir, c)
		if err != nil {
			return err
		}
		p.Reports = append(p.Reports, report)
	} else {
		report, card, err := train.Train(ctx, p.Runtime, c, dir)
		if err != nil {
			return err
		}
		p.Reports, p.card = append(p.Reports, report), card
	}
	if p.first == "" {
		p.first = c.Model
	}
	if c.Objective != "sft" {
		p.reference = c.Model
	}
	// Absolute, since a checkpoint of the next stage holds it as a setting: a run may be resumed from another folder.
	last, err := filepath.Abs(filepath.Join(dir, rundir.Model))
	p.last, p.Config = last, c
	return err
}

// finishedReport is what can be said again of a stage that an earlier run finished.
func finishedReport(dir string, c recipe.Config) (report.Stage, error) {
	records, err := track.ReadMetrics(filepath.Join(dir, rundir.Metrics))
	if err != nil {
		return report.Stage{}, err
	}
	if len(records) == 0 {
		return report.Stage{}, fmt.Errorf("%s has no %s to report: was it changed?", dir, rundir.Metrics)
	}
	answers, err := report.ReadStepAnswers(filepath.Join(dir, rundir.Answers))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return report.Stage{}, err
	}
	text, err := c.YAML()
	return report.Stage{
		Title: filepath.Base(dir), Objective: bfpo.Objective{Name: c.Objective, Beta: c.Beta, B1: c.B1, Alpha: c.Alpha},
		TotalSteps: records[len(records)-1].Step, Records: records, Answers: report.ByPrompt(answers), Config: string(text),
	}, err
}

// finish adds the comparison to the last model's card and writes the report over all stages; it comes last, so a folder with it holds a finished run.
func (p *Pipeline) Finish() error {
	if p.card.Name != "" && len(p.comparison.Rows) > 0 {
		p.card.Comparison = p.comparison
		if err := train.WriteCards(filepath.Dir(p.last), p.card); err != nil {
			return err
		}
	}
	for _, side := range []string{"before", "after"} {
		if err := evaluate.Forget(filepath.Join(p.Dir, "eval", side)); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	path := filepath.Join(p.Dir, rundir.Report)
	err := report.Write(path, report.Report{
		Title: "bfpo: " + filepath.Base(p.Dir), Subtitle: p.subtitle(), Created: time.Now(),
		Tiles: tiles(p.comparison), Comparison: p.comparison, Answers: p.answers, Stages: p.Reports, Environment: train.Environment(p.Runtime),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Results, "\nreport   %s\nmodel    %s\ntime     %s\n", path, p.last, track.FormatDuration(time.Since(p.Started)))
	return err
}
