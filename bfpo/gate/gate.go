package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// Folders of the evaluations of tasks, in the output folder.
const (
	beforeSide = "before"
	afterSide  = "after"
)

// Run measures the models before and after on what the gate names and judges the differences. c has the settings of
// both models. dir gets the results of tasks, if there are any. A gate that can test nothing is a *usage.Error.
func Run(ctx context.Context, rt models.Runtime, c recipe.Config, g recipe.Gate, before, after, dir string) (Result,
	error) {
	for _, model := range []string{before, after} { // a wrong name costs no measurement
		date, err := templateDate(ctx, rt, c, model)
		if err != nil {
			return Result{}, err
		}
		c.ChatTemplateDate = cmp.Or(c.ChatTemplateDate, date)
	}
	was, err := measureModel(ctx, rt, c, g, before, filepath.Join(dir, beforeSide), rt.Log())
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", before, err)
	}
	alone := report.Comparison{Before: report.ModelName(before), After: report.ModelName(before), Rows: compare(was, was)}
	if r := judge(alone, g); r.tested() == 0 { // the other model has the same rows
		return r, usage.Errorf("nothing to judge: no measure has the %d rows that a test needs (%s)", report.MinRows,
			r.counts())
	}
	is, err := measureModel(ctx, rt, c, g, after, filepath.Join(dir, afterSide), slog.New(slog.DiscardHandler))
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", after, err)
	}
	if !was.SamePairs(is.HeldOut) {
		return Result{}, fmt.Errorf("%s scores %d held-out pairs and %s %d, not all of them the same, since their "+
			"tokenizers need different numbers of tokens: raise max_length", before, len(was.Preferences), after,
			len(is.Preferences))
	}
	comparison := report.Comparison{Title: "gate", Before: report.ModelName(before), After: report.ModelName(after)}
	if comparison.Before == comparison.After {
		comparison.Before, comparison.After = beforeSide, afterSide
	}
	comparison.Rows = compare(was, is)
	return judge(comparison, g), nil
}

// templateDate returns the date that a model's chat template writes, "" if it writes none: both models are measured
// with the same one, even if it is midnight in between.
func templateDate(ctx context.Context, rt models.Runtime, c recipe.Config, model string) (string, error) {
	checkpoint, err := models.Open(ctx, model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return "", err
	}
	language, err := models.NewChatTokenizer(ctx, checkpoint, c)
	return language.TemplateDate, errors.Join(err, checkpoint.Close())
}

// measured is what one model makes of a gate's rows.
type measured struct {
	measure.HeldOut
	tasks evaluate.Results
}

func measureModel(ctx context.Context, rt models.Runtime, c recipe.Config, g recipe.Gate, model, dir string,
	log *slog.Logger) (m measured, err error) {
	c.Model = model
	rt.Log().Info("measuring " + model)
	if m.HeldOut, err = measure.EvaluateHeldOut(ctx, rt, c, g.Eval, g.MaxTokens, log); err != nil {
		return m, err
	}
	if len(g.Eval.Tasks) == 0 {
		return m, nil
	}
	tasks, err := recipe.FindTasks(g.Eval.Tasks, g.Eval.Include, log)
	if err != nil {
		return m, err
	}
	m.tasks, err = measure.Evaluate(ctx, rt, c, measure.Options{
		Tasks: tasks, Data: g.Eval.Data, Limit: g.Eval.Limit, ApplyChatTemplate: g.Eval.ApplyChatTemplate,
		Judge: g.Eval.Judge,
	}, dir)
	return m, err
}

// Kinds of measures, and headings of the table.
const (
	harm        = "harm"
	helpfulness = "helpfulness"
	overRefusal = "over-refusal"
	fluency     = "fluency"
	capability  = "capability"
)

// compare returns the rows of the table. A kind that has nothing to measure has no row.
func compare(before, after measured) (rows []report.ComparisonRow) {
	add := func(kind, name, unit string, better report.Direction, was, is []float64) {
		if len(was) > 0 {
			rows = append(rows, report.NewComparisonRow(kind, name, unit, better, was, is))
		}
	}
	preferences := func(kind, name, unit string, value func(evaluate.Preference) (x float64, ok bool)) {
		add(kind, name, unit, report.HigherIsBetter, collect(before.Preferences, value), collect(after.Preferences, value))
	}
	answers := func(kind, name string, better report.Direction, value func(evaluate.Answer) float64) {
		always := func(a evaluate.Answer) (float64, bool) { return value(a), true }
		add(kind, name, "%", better, collect(before.Answers, always), collect(after.Answers, always))
	}
	preferences(harm, "safe answer is likelier", "%", measure.PrefersSafe)
	preferences(helpfulness, "better answer is likelier", "%", measure.PrefersHelpful)
	answers(overRefusal, "harmless prompts refused", report.LowerIsBetter, measure.Refused)
	preferences(fluency, "log p per token of good answers", "nat", measure.GoodAnswer)
	answers(fluency, "repeated four-token runs", report.LowerIsBetter, measure.Repetition)
	answers(fluency, "answers that end", report.HigherIsBetter, measure.Ended)
	for _, row := range measure.CompareTasks(before.tasks, after.tasks) {
		row.Name, row.Group = row.Group+", "+row.Name, capability
		rows = append(rows, row)
	}
	return rows
}

// collect returns the value of each item that has one.
func collect[T any](items []T, value func(T) (x float64, ok bool)) (all []float64) {
	for _, item := range items {
		if x, ok := value(item); ok {
			all = append(all, x)
		}
	}
	return all
}

// judge applies the thresholds of a gate to a comparison.
func judge(c report.Comparison, g recipe.Gate) Result {
	r := Result{Comparison: c, Pass: true, Reasons: []string{}}
	for _, row := range c.Rows {
		m := newMeasure(row, tolerance(g.Tolerate, row.Group))
		m.Fails = m.P != nil && !(*m.P >= g.Significance) && !(m.loss <= m.Tolerance) // NaN fails
		if m.Fails {
			r.Pass = false
			r.Reasons = append(r.Reasons, m.reason(c, row.Unit))
		}
		r.Measures = append(r.Measures, m)
	}
	for _, kind := range []string{harm, helpfulness, overRefusal, fluency, capability} {
		if !slices.ContainsFunc(r.Measures, func(m Measure) bool { return m.Kind == kind }) {
			r.NotMeasured = append(r.NotMeasured, kind)
		}
	}
	return r
}

// tolerance returns the loss that is tolerated in measures of a kind.
func tolerance(t recipe.Tolerance, kind string) float64 {
	switch kind {
	case harm:
		return t.Harm
	case helpfulness:
		return t.Helpfulness
	case overRefusal:
		return t.OverRefusal
	case fluency:
		return t.Fluency
	}
	return t.Capability
}

// newMeasure returns one row as a measure, not yet judged.
func newMeasure(row report.ComparisonRow, tolerated float64) Measure {
	m := Measure{
		Kind: row.Group, Name: row.Name, Unit: row.Unit, Rows: row.Change.N, Before: row.Before.Mean, After: row.After.Mean,
		Change: row.Change.Mean, Verdict: row.Change.Verdict(row.Better), Tolerance: tolerated, loss: row.Change.Mean,
	}
	if row.Better == report.HigherIsBetter {
		m.loss = -m.loss
	}
	if row.Change.Tested() {
		m.P = &row.Change.P
	}
	return m
}
