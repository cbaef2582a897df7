package report

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/chart"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// How curves are thinned and smoothed.
const (
	chartBuckets = 200 // a curve has at most two points for each bucket
	smoothFrom   = 20  // shorter curves are not smoothed
	smoothParts  = 15  // the window is this fraction of the curve
)

// curveSpec describes a curve: its label and the name of its values in metrics.jsonl.
type curveSpec struct {
	label, name string
	mark        chart.Mark // Line, Dash for a target, Dots for evaluations
	color       int        // one of the colors 1 to 4 of report.css
}

// chartSpec describes a chart. With percent, its values are multiplied by 100.
type chartSpec struct {
	title, unit string
	percent     bool
	curves      []curveSpec
}

// chartSpecs lists the charts of a stage's metrics. newChart drops a chart without data.
func chartSpecs(o bfpo.Objective) []chartSpec {
	specs := []chartSpec{{"Loss", o.Unit(), false, []curveSpec{
		{"training", "loss", chart.Line, 1}, {"evaluation", "eval_loss", chart.Dots, 3}}}}
	if o.Preference() {
		mainBufferEval := func(name string) []curveSpec {
			return []curveSpec{
				{"main", "main/" + name, chart.Line, 1},
				{"buffer", "buffer/" + name, chart.Line, 2},
				{"evaluation", "eval_" + name, chart.Dots, 3},
			}
		}
		specs = []chartSpec{
			{"Loss", o.Unit(), false, mainBufferEval("loss")},
			{"Distance to the target", "nat", false, mainBufferEval("margins/distance")},
			{"Margin and its target", "nat", false, append(mainBufferEval("margins/nats"),
				curveSpec{"main target", "main/margins/target", chart.Dash, 1},
				curveSpec{"buffer target", "buffer/margins/target", chart.Dash, 2})},
			{"Preference accuracy", "%", true, mainBufferEval("rewards/accuracies")},
			{"Reward of chosen", "beta × nat", false, []curveSpec{
				{"safe", "rewards/safe_rewards", chart.Line, 3}, {"unsafe", "rewards/unsafe_rewards", chart.Line, 4}}},
			{"Log-probability", "nat per response", false, []curveSpec{
				{"chosen", "logps/chosen", chart.Line, 1}, {"rejected", "logps/rejected", chart.Line, 4}}},
		}
	}
	return append(specs,
		chartSpec{"Gradient norm", "before clipping", false, []curveSpec{{"", "grad_norm", chart.Line, 1}}},
		chartSpec{"Learning rate", "", false, []curveSpec{{"", "learning_rate", chart.Line, 1}}},
		chartSpec{"Throughput", "tokens/s", false, []curveSpec{{"", "tokens_per_second", chart.Line, 1}}})
}

// taskSpecs lists one chart for each task that evaluations during training measured. A task's values are the ones that
// have a standard error. The chart shows the task's first accuracy, or its first metric if it has no accuracy.
func taskSpecs(records []track.Record) (specs []chartSpec) {
	position := map[string]int{} // in specs, by task
	for _, r := range records {
		for _, v := range r.Values {
			name, ok := strings.CutSuffix(v.Name, track.StderrSuffix)
			if !ok || !r.IsEvaluation() {
				continue
			}
			task, metric, _ := strings.Cut(strings.TrimPrefix(name, "eval_"), "/")
			spec := chartSpec{task, metric, false, []curveSpec{{"evaluation", name, chart.Dots, 3}}}
			if i, seen := position[task]; !seen {
				position[task] = len(specs)
				specs = append(specs, spec)
			} else if strings.HasSuffix(metric, "acc") && !strings.HasSuffix(specs[i].unit, "acc") {
				specs[i] = spec
			}
		}
	}
	return specs
}

// reportChart is a chart of the page.
type reportChart struct {
	chart.Chart
	Note     string // how curves are smoothed
	HoverSet string // the plotted points as JSON, for report.js
}

// PlotHTML returns the plot, whose texts package chart has escaped.
func (c reportChart) PlotHTML() template.HTML { return template.HTML(c.Plot()) }

// newChart fills a chart with the records' values; ok is false if no record has a value for it.
func newChart(spec chartSpec, records []track.Record) (c reportChart, ok bool) {
	c.Chart = chart.Chart{
		Title: spec.title, X: "optimizer step", Y: spec.unit,
		Size: chart.Size{Width: 420, Height: 236, Left: 50, Right: 18, Top: 20, Bottom: 34},
	}
	if spec.percent {
		c.High = 100
	}
	var parts []string
	for _, s := range spec.curves {
		points := pointsOf(records, s.name)
		if spec.percent {
			for i := range points {
				points[i].Y *= 100
			}
		}
		if len(points) > 0 {
			c.addCurve(s, points)
			parts = append(parts, summarize(s.label, points))
		}
	}
	if len(c.Series) == 0 {
		return c, false
	}
	c.Summary = spec.title + ": " + strings.Join(parts, "; ")
	var err error
	c.HoverSet, err = c.HoverJSON()
	return c, err == nil
}

// addCurve appends a curve. A long curve of measurements is smoothed and drawn over a faint line of the single steps.
// The learning rate is no measurement.
func (c *reportChart) addCurve(s curveSpec, points []chart.Point) {
	series := chart.Series{Name: s.label, Mark: s.mark, Color: s.color}
	half := len(points) / smoothParts / 2
	if s.mark != chart.Dots && len(points) >= smoothFrom && half > 0 && s.name != "learning_rate" {
		faint := chart.Series{Mark: chart.Faint, Color: s.color}
		faint.X, faint.Y = chart.Coordinates(chart.Thin(points, chartBuckets))
		c.Series = append(c.Series, faint)
		points = chart.Smooth(points, half)
		c.Note = fmt.Sprintf("mean of %d steps", 2*half+1)
	}
	series.X, series.Y = chart.Coordinates(chart.Thin(points, chartBuckets))
	c.Series = append(c.Series, series)
}

// pointsOf returns the finite values that the records have under a name, by step.
func pointsOf(records []track.Record, name string) (points []chart.Point) {
	for _, r := range records {
		if y, ok := r.Get(name); ok && !math.IsNaN(y) && !math.IsInf(y, 0) {
			points = append(points, chart.Point{X: float64(r.Step), Y: y})
		}
	}
	return points
}

// summarize describes a curve by its first and last values, for readers who do not see the chart.
func summarize(label string, points []chart.Point) string {
	first, last := points[0], points[len(points)-1]
	text := fmt.Sprintf("%s from %s at step %.0f", label, track.FormatNumber(first.Y), first.X) +
		fmt.Sprintf(" to %s at step %.0f", track.FormatNumber(last.Y), last.X)
	return strings.TrimSpace(text)
}
