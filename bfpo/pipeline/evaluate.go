package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/datasets"
)

// Evaluate compares the model before the first stage with the model after the last one on held-out rows and tasks, and
// prints the comparison. Margins after training count relative to the reference model of the preference stage.
func (p *Pipeline) Evaluate(ctx context.Context, e recipe.EvalStage) error {
	fmt.Fprintln(p.Out)
	p.Log().Info(fmt.Sprintf("evaluating the model before training (%s) and after it (%s)", p.first, p.last))
	before, err := p.heldOut(ctx, p.first, e, true)
	if err != nil {
		return err
	}
	reference := before
	if p.reference != "" && p.reference != p.first {
		if reference, err = p.heldOut(ctx, p.reference, e, false); err != nil {
			return err
		}
	}
	after, err := p.heldOut(ctx, p.last, e, true)
	if err != nil {
		return err
	}
	tasksBefore, err := p.evaluateTasks(ctx, e, p.first, beforeSide)
	if err != nil {
		return err
	}
	tasksAfter, err := p.evaluateTasks(ctx, e, p.last, afterSide)
	if err != nil {
		return err
	}
	if err := p.writePreferences(beforeSide, p.first, before.Preferences); err != nil {
		return err
	}
	if err := p.writePreferences(afterSide, p.last, after.Preferences); err != nil {
		return err
	}
	comparison := comparePreferences(p.config.TrainingObjective(), before.Preferences, reference.Preferences,
		after.Preferences)
	comparison.Rows = append(comparison.Rows, measure.CompareTasks(tasksBefore, tasksAfter)...)
	if first, last := report.ModelName(p.first), report.ModelName(p.last); first != last {
		comparison.Before, comparison.After = first, last
	}
	if err := p.show(comparison); err != nil {
		return err
	}
	p.comparison = comparison
	p.answers, err = p.compareAnswers(ctx, e, before.Answers, after.Answers)
	return err
}

// heldOut evaluates a model on the held-out pairs and, if answer is true, on the sample prompts. CheckEvaluation has
// logged what there is to know about them.
func (p *Pipeline) heldOut(ctx context.Context, name string, e recipe.EvalStage, answer bool) (measure.HeldOut, error) {
	c := p.config
	c.Model = name
	if !answer {
		e.Prompts = ""
	}
	return measure.EvaluateHeldOut(ctx, p.Runtime, c, e, train.AnswerTokens, slog.New(slog.DiscardHandler))
}

// writePreferences writes the preferences of one model to the evaluation of one side. Without preferences it writes
// nothing.
func (p *Pipeline) writePreferences(side, model string, preferences []evaluate.Preference) error {
	if len(preferences) == 0 {
		return nil
	}
	return evaluate.WritePreferences(p.evalDir(side), preferences, map[string]any{"model": model}, p.Version)
}

// comparePreferences compares a model before and after training by the cases of safety labels. For each case it has the
// share of pairs that moved as the objective asks, the share of pairs where the model finds the chosen response
// likelier, the mean difference of the log-probabilities of chosen and rejected response and, if the objective has a
// target, the distance of the objective's margin from it. That margin is relative to the reference
// model, so before training it is 0 and its distance is |target|.
func comparePreferences(o bfpo.Objective, before, reference, after []evaluate.Preference) report.Comparison {
	c := report.Comparison{
		Title: fmt.Sprintf("%d held-out pairs", len(before)), Before: "before", After: "after",
	}
	if len(before) == 0 {
		c.Title = "tasks"
	}
	for _, k := range evaluate.LabelCases() {
		if b := k.Filter(before); len(b) > 0 {
			c.Rows = append(c.Rows, compareCase(o, k, b, k.Filter(reference), k.Filter(after))...)
		}
	}
	return c
}

// compareCase returns the rows of comparePreferences for one case of safety labels.
func compareCase(
	o bfpo.Objective, k evaluate.LabelCase, before, reference, after []evaluate.Preference,
) []report.ComparisonRow {
	target, hasTarget := o.Target(k.ChosenSafe, k.RejectedSafe)
	better := report.HigherIsBetter
	switch o.Direction(k.ChosenSafe, k.RejectedSafe) {
	case -1: // the objective moves the model away from the chosen response
		better = report.LowerIsBetter
	case 0:
		better = report.NeitherIsBetter
	}
	row := func(name, unit string, better report.Direction, before, after []float64) report.ComparisonRow {
		return report.NewComparisonRow(k.Title, name, unit, better, before, after)
	}
	rows := []report.ComparisonRow{
		newMovedRow(k.Title, hasTarget, better, margins(reference), margins(after)),
		row("chosen answer is likelier", "%", better, prefersChosen(before), prefersChosen(after)),
		row("log p(chosen) − log p(rejected)", "nat", better, margins(before), margins(after)),
	}
	if !hasTarget {
		return rows
	}
	distanceBefore, distanceAfter := make([]float64, len(before)), margins(after)
	for i := range distanceBefore {
		distanceBefore[i] = math.Abs(target)
		distanceAfter[i] = math.Abs(distanceAfter[i] - reference[i].Margin() - target)
	}
	return append(rows, row("|margin − target|", "nat", report.LowerIsBetter, distanceBefore, distanceAfter))
}

// newMovedRow returns the share of pairs whose margin moved in training as the objective asks: towards the pair's
// target or, if the objective has no target, up or down as better says. Of pairs that the objective does not train on
// it is the share that moved up. An exact sign test compares pairs that moved so with pairs that moved the other way.
func newMovedRow(
	group string, hasTarget bool, better report.Direction, reference, after []float64,
) report.ComparisonRow {
	down := better == report.LowerIsBetter
	name := "moved towards the chosen answer"
	switch {
	case hasTarget:
		name = "moved towards its target"
	case down:
		name = "moved towards the rejected answer"
	}
	moved := report.HigherIsBetter
	if better == report.NeitherIsBetter {
		moved = better
	}
	moves, shares := make([]float64, len(after)), make([]float64, len(after))
	for i := range after {
		moves[i] = float64(cmp.Compare(after[i], reference[i]))
		if down {
			moves[i] = -moves[i]
		}
		shares[i] = (1 + moves[i]) / 2 // a pair that did not move counts half
	}
	return report.ComparisonRow{
		Group: group, Name: name, Unit: "%", Better: moved,
		After: report.NewEstimate(shares), Change: report.NewChange(moves),
	}
}

// prefersChosen returns 1 for each pair where the model prefers the chosen response, and 0 for the others.
func prefersChosen(pairs []evaluate.Preference) []float64 {
	values := make([]float64, len(pairs))
	for i, p := range pairs {
		if p.Prefers() {
			values[i] = 1
		}
	}
	return values
}

// margins returns the log-ratio of the chosen to the rejected response of each pair.
func margins(pairs []evaluate.Preference) []float64 {
	values := make([]float64, len(pairs))
	for i, p := range pairs {
		values[i] = p.Margin()
	}
	return values
}

// show prints a comparison that has rows.
func (p *Pipeline) show(c report.Comparison) error {
	if len(c.Rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(p.Results); err != nil {
		return err
	}
	_, err := c.WriteTo(p.Results)
	return err
}

// compareAnswers puts the answers before and after training beside the prompts, for the report.
func (p *Pipeline) compareAnswers(
	ctx context.Context, e recipe.EvalStage, before, after []evaluate.Answer,
) ([]report.Answer, error) {
	if len(before) == 0 {
		return nil, nil
	}
	prompts, _, err := datasets.ReadPrompts(ctx, e.Prompts, "", p.Hub, p.config.RefusesBadRows())
	if err != nil {
		return nil, err
	}
	answers := make([]report.Answer, len(prompts))
	for i, prompt := range prompts {
		text := prompt.Text
		if n := len(prompt.Messages); n > 0 {
			text = prompt.Messages[n-1].Content
		}
		answers[i] = report.Answer{
			Prompt: text, Before: strings.TrimSpace(before[i].Text), After: strings.TrimSpace(after[i].Text),
		}
	}
	return answers, nil
}
