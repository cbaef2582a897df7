package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/train"
)

// Pipeline is what the stages of a run pass on from one to the next. Its methods are the stages.
type Pipeline struct {
	models.Runtime
	Tasks   []task.Task    // measured beside the tasks of the recipe
	Reports []report.Stage // of the stages so far

	dir     string
	resume  bool // go on with what an earlier run left
	started time.Time

	first     string        // the model that the first stage started from
	reference string        // the model that the last preference stage started from
	last      string        // the model that the last stage left
	config    recipe.Config // of the last training stage
	card      report.Card   // of the last training stage; empty where an earlier run finished it

	comparison report.Comparison
	answers    []report.Answer
}

// New begins a pipeline in a folder that Claim made ready. c says whether an earlier run is resumed, and what Evaluate goes by where no
// stage trains.
func New(rt models.Runtime, c recipe.Config, dir string) *Pipeline {
	return &Pipeline{Runtime: rt, dir: dir, resume: c.ResumeFromCheckpoint != recipe.Off, started: time.Now(), config: c}
}

// Resumes tells whether the pipeline goes on with what an earlier run left.
func (p *Pipeline) Resumes() bool { return p.resume }

// train runs one training stage, or takes what an earlier run left of it.
func (p *Pipeline) Train(ctx context.Context, number int, c recipe.Config) error {
	if p.last != "" && c.Model == "" {
		c.Model = p.last
	}
	dir := filepath.Join(p.dir, fmt.Sprintf("%d-%s", number, c.Objective))
	if p.resume && rundir.Finished(dir) {
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
	p.last, p.config = last, c
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
		Title: filepath.Base(dir), Objective: c.Loss(),
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
		if err := evaluate.RemoveJournal(filepath.Join(p.dir, "eval", side)); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	path := filepath.Join(p.dir, rundir.Report)
	err := report.Write(path, report.Report{
		Title: "bfpo: " + filepath.Base(p.dir), Subtitle: p.subtitle(), Created: time.Now(),
		Tiles: tiles(p.comparison), Comparison: p.comparison, Answers: p.answers, Stages: p.Reports, Environment: train.Environment(p.Runtime),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Results, "\nreport   %s\nmodel    %s\ntime     %s\n", path, p.last, track.FormatDuration(time.Since(p.started)))
	return err
}

// tiles are the figures that head the report: the first row of each case.
func tiles(c report.Comparison) []report.Tile {
	var tiles []report.Tile
	group := ""
	for _, row := range c.Rows {
		if row.Group == group {
			continue
		}
		group = row.Group
		tile := report.Tile{
			Label: row.Group,
			Value: fmt.Sprintf("%.0f → %.0f %%", 100*row.Before.Mean, 100*row.After.Mean),
			Note:  fmt.Sprintf("%s, %d pairs", row.Name, row.Before.N),
		}
		if row.Unit != "%" { // of a task
			tile.Value = fmt.Sprintf("%.3f → %.3f", row.Before.Mean, row.After.Mean)
			tile.Note = fmt.Sprintf("%s, %d documents", row.Name, row.Before.N)
		}
		tiles = append(tiles, tile)
	}
	return tiles
}

func (p *Pipeline) subtitle() string {
	names := make([]string, 0, len(p.Reports))
	for _, r := range p.Reports {
		names = append(names, strings.ToUpper(r.Objective.Name))
	}
	return fmt.Sprintf("%s after %s", p.first, strings.Join(names, " and "))
}
