package bfpo

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// answerTokens is how long a sample answer may get.
const answerTokens = 64

// said is what one model says of the held-out rows.
type said struct {
	preferences []evaluate.Preference
	answers     []string
}

// evaluate measures the model before the first stage, the reference of the preference stage and the model after the last one on the
// same held-out rows, and compares them.
func (p *pipeline) evaluate(ctx context.Context, e EvalStage) error {
	p.notice("\nevaluating %s before and after on held-out rows", p.last)
	before, err := p.ask(ctx, p.first, e, true)
	if err != nil {
		return err
	}
	reference := before
	if p.reference != "" && p.reference != p.first {
		if reference, err = p.ask(ctx, p.reference, e, false); err != nil {
			return err
		}
	}
	after, err := p.ask(ctx, p.last, e, true)
	if err != nil {
		return err
	}
	tasksBefore, err := p.measureTasks(ctx, e, p.first, "before")
	if err != nil {
		return err
	}
	tasksAfter, err := p.measureTasks(ctx, e, p.last, "after")
	if err != nil {
		return err
	}
	for name, side := range map[string]struct {
		model string
		said  said
	}{"before": {p.first, before}, "after": {p.last, after}} {
		if len(side.said.preferences) == 0 {
			continue
		}
		dir := filepath.Join(p.dir, "eval", name)
		if err := evaluate.WritePreferences(dir, side.said.preferences, map[string]any{"model": side.model}, p.Version); err != nil {
			return err
		}
	}
	objective := Objective{p.config.Objective, p.config.Beta, p.config.B1, p.config.Alpha}
	p.comparison = compareModels(objective, before.preferences, reference.preferences, after.preferences)
	p.comparison.Rows = append(p.comparison.Rows, compareTasks(tasksBefore, tasksAfter)...)
	if len(before.preferences) == 0 {
		p.comparison.Title = "tasks"
	}
	if len(p.comparison.Rows) > 0 {
		fmt.Fprintln(p.Results)
		if _, err := p.comparison.WriteTo(p.Results); err != nil {
			return err
		}
	}
	return p.showAnswers(ctx, e, before.answers, after.answers)
}

// ask lets one model score the held-out pairs and, where wanted, answer the prompts.
func (p *pipeline) ask(ctx context.Context, name string, e EvalStage, answer bool) (said said, err error) {
	checkpoint, err := OpenModel(ctx, name, p.Hub, p.Cache, p.notice)
	if err != nil {
		return said, err
	}
	defer checkpoint.Close()
	language, err := NewLanguage(checkpoint, p.config.ChatTemplate)
	if err != nil {
		return said, err
	}
	model, err := mistral.LoadOn(p.Device, p.config.Copies(), checkpoint, p.config.ComputeType())
	if err != nil {
		return said, err
	}
	defer model.Close()
	preferences := p.config
	preferences.Objective = "bfpo" // held-out rows are pairs, whatever the last stage trained on
	format := preferences.textFormat(language, model.Config.MaxPositionEmbeddings)
	if len(e.DatasetMixer) > 0 {
		reader := setReader{config: preferences, language: language, format: format, hub: p.Hub, cache: newRowCache(p.Cache), heldOut: true}
		pairs, err := reader.read(ctx, "held out", e.DatasetMixer, e.DatasetSplits[0])
		if err != nil {
			return said, err
		}
		scorer := mistral.NewScorer(p.Device, model.Config, model.Base, nil, p.config.ComputeType())
		defer scorer.Close()
		if said.preferences, err = evaluate.ScorePreferences(ctx, scorer, pairs.Pairs); err != nil {
			return said, err
		}
	}
	if !answer || e.Prompts == "" {
		return said, nil
	}
	prompts, err := datasets.Prompts(ctx, e.Prompts, "", p.Hub)
	if err != nil {
		return said, err
	}
	generator := mistral.NewGenerator(p.Device, model.Config, model.Base, nil, p.config.ComputeType())
	defer generator.Close()
	said.answers, err = evaluate.GenerateAnswers(ctx, generator, format, prompts, answerTokens)
	return said, err
}

// compareModels is the before/after table: for each case of safety labels the share of pairs where the model prefers the chosen
// response, the mean log-ratio of chosen to rejected, and how far the objective's margin is from its target. That margin is measured
// against the reference, for which it is 0: its distance before is |target|.
func compareModels(o Objective, before, reference, after []evaluate.Preference) Comparison {
	c := Comparison{Title: fmt.Sprintf("%d held-out pairs", len(before)), Before: "before", After: "after"}
	for _, k := range evaluate.LabelCases() {
		b, r, a := k.Filter(before), k.Filter(reference), k.Filter(after)
		if len(b) == 0 {
			continue
		}
		values := func(of []evaluate.Preference, f func(i int, p evaluate.Preference) float64) []float64 {
			out := make([]float64, len(of))
			for i, p := range of {
				out[i] = f(i, p)
			}
			return out
		}
		prefers := func(_ int, p evaluate.Preference) float64 { return float64(boolToInt(p.Prefers())) }
		margin := func(_ int, p evaluate.Preference) float64 { return p.Margin() }
		// Where the rejected answer is the safe one, or none is, moving away from the chosen one is what the objective asks for.
		better := HigherIsBetter
		if target, ok := o.Target(k.ChosenSafe, k.RejectedSafe); ok && target < 0 {
			better = LowerIsBetter
		}
		c.Rows = append(c.Rows,
			NewComparisonRow(k.Title, "prefers the chosen answer", "%", better, values(b, prefers), values(a, prefers)),
			NewComparisonRow(k.Title, "log-ratio chosen to rejected", "nat", better, values(b, margin), values(a, margin)))
		if target, ok := o.Target(k.ChosenSafe, k.RejectedSafe); ok {
			c.Rows = append(c.Rows, NewComparisonRow(k.Title, "|margin − target|", "nat", LowerIsBetter,
				values(r, func(int, evaluate.Preference) float64 { return math.Abs(target) }),
				values(a, func(i int, p evaluate.Preference) float64 { return math.Abs(p.Margin() - r[i].Margin() - target) })))
		}
	}
	return c
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// showAnswers prints the sample answers and keeps them for the report.
func (p *pipeline) showAnswers(ctx context.Context, e EvalStage, before, after []string) error {
	if len(before) == 0 {
		return nil
	}
	prompts, err := datasets.Prompts(ctx, e.Prompts, "", p.Hub)
	if err != nil {
		return err
	}
	for i, prompt := range prompts {
		text := prompt.Text
		if n := len(prompt.Messages); n > 0 {
			text = prompt.Messages[n-1].Content
		}
		p.answers = append(p.answers, Answer{Prompt: text, Before: strings.TrimSpace(before[i]), After: strings.TrimSpace(after[i])})
	}
	return nil
}

// tiles are the figures that head the report: the first row of each case.
func tiles(c Comparison) []Tile {
	var tiles []Tile
	group := ""
	for _, row := range c.Rows {
		if row.Group == group {
			continue
		}
		group = row.Group
		tile := Tile{
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

func (p *pipeline) subtitle() string {
	names := make([]string, 0, len(p.reports))
	for _, r := range p.reports {
		names = append(names, strings.ToUpper(r.Objective.Name))
	}
	return fmt.Sprintf("%s after %s", p.first, strings.Join(names, " and "))
}
