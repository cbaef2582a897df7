package bfpo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
)

// Run goes through the stages of a recipe in order, each training stage on the model of the one before, and leaves one folder a stage
// and one report on top:
//
//	dir/1-sft  dir/2-bfpo  dir/eval/before  dir/eval/after  dir/report.html
//
// With resume_from_checkpoint, finished stages are not run again.
func Run(ctx context.Context, rt Runtime, c Config, dir string) (err error) {
	if made := !exists(dir); made {
		defer func() {
			if err != nil {
				os.Remove(dir) // does nothing once a stage has begun there
			}
		}()
	}
	if err := claimPipeline(dir, c); err != nil {
		return err
	}
	p := pipeline{Runtime: rt, dir: dir, resume: c.ResumeFromCheckpoint != Off, started: time.Now()}
	for i, stage := range c.Stages {
		var err error
		switch stage.Kind {
		case "eval":
			err = p.evaluate(ctx, stage.Eval)
		default:
			err = p.train(ctx, i+1, stage.Config)
		}
		if err != nil {
			return fmt.Errorf("stage %d (%s): %w", i+1, stage.Kind, err)
		}
	}
	return p.finish()
}

// claimPipeline makes dir ready, or says why it is not: all stages are finished there. An old report goes first, so that a run that is
// stopped while it replaces another is not taken for a finished one.
func claimPipeline(dir string, c Config) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("output folder: %w", err)
	}
	if !c.OverwriteOutputDir && exists(filepath.Join(dir, reportName)) {
		return Usagef("%s holds a finished run: choose another -out, or replace it with -set=overwrite_output_dir=true", dir)
	}
	return removeRun(dir, []string{reportName})
}

// pipeline is what the stages of a run pass on.
type pipeline struct {
	Runtime
	dir     string
	resume  bool
	started time.Time

	first     string // the model that the first stage started from
	reference string // the model that the last preference stage started from
	last      string // the model that the last stage left
	config    Config // of the last training stage
	reports   []StageReport
	card      Card // of the last training stage; empty where an earlier run finished it

	tasks      []task.Task // measured besides those of the recipe
	comparison Comparison
	answers    []Answer
}

// train runs one training stage, or takes what an earlier run left of it.
func (p *pipeline) train(ctx context.Context, number int, c Config) error {
	if p.last != "" && c.Model == "" {
		c.Model = p.last
	}
	dir := filepath.Join(p.dir, fmt.Sprintf("%d-%s", number, c.Objective))
	if p.resume && Finished(dir) {
		p.notice("%s is finished already", dir)
		report, err := finishedReport(dir, c)
		if err != nil {
			return err
		}
		p.reports = append(p.reports, report)
	} else {
		report, card, err := Train(ctx, p.Runtime, c, dir)
		if err != nil {
			return err
		}
		p.reports, p.card = append(p.reports, report), card
	}
	if p.first == "" {
		p.first = c.Model
	}
	if c.Objective != "sft" {
		p.reference = c.Model
	}
	// Absolute, since a checkpoint of the next stage holds it as a setting: a run may be resumed from another folder.
	last, err := filepath.Abs(filepath.Join(dir, modelName))
	p.last, p.config = last, c
	return err
}

// finishedReport is what can be said again of a stage that an earlier run finished.
func finishedReport(dir string, c Config) (StageReport, error) {
	records, err := ReadMetrics(filepath.Join(dir, metricsName))
	if err != nil {
		return StageReport{}, err
	}
	if len(records) == 0 {
		return StageReport{}, fmt.Errorf("%s has no %s to report: was it changed?", dir, metricsName)
	}
	answers, err := readStepAnswers(filepath.Join(dir, stepAnswersName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return StageReport{}, err
	}
	text, err := c.YAML()
	return StageReport{
		Title: filepath.Base(dir), Objective: Objective{c.Objective, c.Beta, c.B1, c.Alpha},
		TotalSteps: records[len(records)-1].Step, Records: records, Answers: byPrompt(answers), Config: string(text),
	}, err
}

// finish adds the comparison to the last model's card and writes the report over all stages; it comes last, so a folder with it holds a finished run.
func (p *pipeline) finish() error {
	if p.card.Name != "" && len(p.comparison.Rows) > 0 {
		p.card.Comparison = p.comparison
		if err := writeCards(filepath.Dir(p.last), p.card); err != nil {
			return err
		}
	}
	for _, side := range []string{"before", "after"} {
		if err := evaluate.RemoveJournal(filepath.Join(p.dir, "eval", side)); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	path := filepath.Join(p.dir, reportName)
	err := WriteReport(path, Report{
		Title: "bfpo: " + filepath.Base(p.dir), Subtitle: p.subtitle(), Created: time.Now(),
		Tiles: tiles(p.comparison), Comparison: p.comparison, Answers: p.answers, Stages: p.reports, Environment: p.environment(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Results, "\nreport   %s\nmodel    %s\ntime     %s\n", path, p.last, formatDuration(time.Since(p.started)))
	return err
}
