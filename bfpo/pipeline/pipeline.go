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
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Folders of the two evaluations, in the folder eval of a run.
const (
	beforeSide = "before"
	afterSide  = "after"
)

func sides() []string { return []string{beforeSide, afterSide} }

// Pipeline holds what the stages of a run pass on to each other. Call Train for each training stage, then Evaluate if
// the models are to be compared, and Finish last.
type Pipeline struct {
	models.Runtime
	Tasks   []task.Task    // evaluated in addition to the tasks of the recipe
	Reports []report.Stage // of the stages so far, in order

	dir     string // the output folder
	resume  bool   // continue what an earlier run left
	started time.Time

	first     string        // the model that the first stage started from
	date      string        // that the chat template of the stages so far writes; "" if it writes none
	reference string        // the reference model of the last preference stage: the model that it started from
	last      string        // the model folder that the last stage wrote
	config    recipe.Config // of the last training stage
	card      report.Card   // of the last training stage; empty if an earlier run finished that stage

	comparison report.Comparison
	answers    []report.Answer
}

// New returns a pipeline in a folder that Claim has prepared. The recipe c decides whether the pipeline continues an
// earlier run, and how Evaluate computes if no stage trains.
func New(rt models.Runtime, c recipe.Config, dir string) *Pipeline {
	return &Pipeline{
		Runtime: rt, dir: dir, resume: c.ResumeFromCheckpoint != recipe.Off, started: time.Now(), config: c,
	}
}

// Resumes reports whether the pipeline continues what an earlier run left.
func (p *Pipeline) Resumes() bool { return p.resume }

// Train runs one training stage in the folder NUMBER-OBJECTIVE. The stage starts from the model of the stage before
// unless c names a model. A stage that an earlier run finished is only read if the pipeline resumes.
func (p *Pipeline) Train(ctx context.Context, number int, c recipe.Config) error {
	if p.last != "" && c.Model == "" {
		c.Model = p.last
	}
	if c.ChatTemplateDate == "" { // the stage before may have begun on another day
		c.ChatTemplateDate = p.date
	}
	dir := filepath.Join(p.dir, fmt.Sprintf("%d-%s", number, c.Objective))
	if p.resume && rundir.Finished(dir) {
		if err := train.CheckFinished(ctx, p.Runtime, c, dir); err != nil {
			return err
		}
		p.Log().Info(fmt.Sprintf("%s is finished already", dir))
		report, err := readReport(dir, c)
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
	// The path is absolute, because checkpoints of the next stage hold it as a setting and the run may be resumed from
	// another working directory.
	last, err := filepath.Abs(filepath.Join(dir, rundir.Model))
	if err == nil {
		p.date, err = train.TemplateDate(dir)
	}
	c.ChatTemplateDate = p.date
	p.last, p.config = last, c
	return err
}

// readReport reads the report of a stage from the folder of a finished run. It has no facts and no banner, which only
// the run itself knows.
func readReport(dir string, c recipe.Config) (report.Stage, error) {
	records, err := track.ReadMetrics(filepath.Join(dir, rundir.Metrics))
	if err != nil {
		return report.Stage{}, err
	}
	if len(records) == 0 {
		return report.Stage{}, fmt.Errorf("%s has no records to report: was the file changed?",
			filepath.Join(dir, rundir.Metrics))
	}
	answers, err := report.ReadStepAnswers(filepath.Join(dir, rundir.Answers))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return report.Stage{}, err
	}
	text, err := c.YAML()
	return report.Stage{
		Title: filepath.Base(dir), Objective: c.TrainingObjective(), TotalSteps: records[len(records)-1].Step,
		Records: records, Answers: report.GroupByPrompt(answers), Config: string(text),
	}, err
}

// Finish adds the comparison to the model card of the last stage and writes the report over all stages. The report is
// the last file of a run: a folder that has it holds a finished run.
func (p *Pipeline) Finish() error {
	if p.card.Name != "" && len(p.comparison.Rows) > 0 {
		p.card.Comparison = p.comparison
		if err := train.WriteCards(filepath.Dir(p.last), p.card); err != nil {
			return err
		}
	}
	for _, side := range sides() {
		if err := evaluate.RemoveJournal(p.evalDir(side)); err != nil {
			return fmt.Errorf("output folder: %w", err)
		}
	}
	path := filepath.Join(p.dir, rundir.Report)
	err := report.Write(path, report.Report{
		Title: "bfpo: " + filepath.Base(p.dir), Subtitle: p.subtitle(), Created: time.Now(),
		Tiles: tiles(p.comparison), Comparison: p.comparison, Answers: p.answers, Stages: p.Reports,
		Environment: train.Environment(p.Runtime),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Results, "\nreport   %s\nmodel    %s\ntime     %s\n%s",
		path, p.last, track.FormatDuration(time.Since(p.started)), p.chatHint())
	return err
}

// chatHint says how to talk to the last model, and to the first one beside it.
func (p *Pipeline) chatHint() string {
	if p.last == "" {
		return ""
	}
	stage := filepath.Join(p.dir, filepath.Base(filepath.Dir(p.last)))
	return fmt.Sprintf("next     bfpo chat -model=%s (there, /compare %s lets the model before training answer too)\n",
		usage.Argument(stage), usage.Argument(p.first))
}

// evalDir returns the folder of the evaluation on one side of training.
func (p *Pipeline) evalDir(side string) string {
	return filepath.Join(p.dir, rundir.Evaluations, side)
}

// tiles returns the figures at the head of the report: the first row of each group of the comparison.
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
			Value: fmt.Sprintf("%.0f %%", 100*row.After.Mean),
			Note:  fmt.Sprintf("%s, %d pairs", row.Name, row.After.N),
		}
		if !row.Change.Tested() {
			tile.Note += ", too few to judge"
		}
		if row.Unit != "%" { // a metric of a task
			tile.Value = fmt.Sprintf("%.3f → %.3f", row.Before.Mean, row.After.Mean)
			tile.Note = fmt.Sprintf("%s, %d documents", row.Name, row.Before.N)
		}
		tiles = append(tiles, tile)
	}
	return tiles
}

// subtitle names the first model and the objectives that trained it, e.g. "tiny after SFT and BFPO".
func (p *Pipeline) subtitle() string {
	names := make([]string, 0, len(p.Reports))
	for _, r := range p.Reports {
		names = append(names, strings.ToUpper(r.Objective.Name))
	}
	return fmt.Sprintf("%s after %s", p.first, strings.Join(names, " and "))
}
