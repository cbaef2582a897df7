package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// Size of a chart's drawing and of its margins, in the units of its viewBox.
const (
	chartWidth, chartHeight                      = 420.0, 236.0
	chartLeft, chartRight, chartTop, chartBottom = 50.0, 18.0, 20.0, 34.0
	chartBuckets, smoothFrom, smoothParts        = 200, 20, 15
)

// How a curve is drawn; also the CSS classes of report.css.
const (
	drawnLine  = "line"
	drawnDash  = "dash" // a target
	drawnPoint = "dots" // evaluations
)

// curveSpec says where a curve's numbers come from.
type curveSpec struct {
	label, name, drawn string
	color              int // 1 to 4, of report.css
}

// chartSpec says what a chart shows; percent multiplies by 100.
type chartSpec struct {
	title, unit string
	percent     bool
	curves      []curveSpec
}

// chartSpecs are the charts of a stage. Those without data are left out.
func chartSpecs(o bfpo.Objective) []chartSpec {
	specs := []chartSpec{{"Loss", lossUnit(o), false, []curveSpec{{"training", "loss", drawnLine, 1}, {"evaluation", "eval_loss", drawnPoint, 3}}}}
	if o.Preference() {
		mainBufferEval := func(name string) []curveSpec {
			return []curveSpec{{"main", "main/" + name, drawnLine, 1}, {"buffer", "buffer/" + name, drawnLine, 2}, {"evaluation", "eval_" + name, drawnPoint, 3}}
		}
		specs = []chartSpec{
			{"Loss", lossUnit(o), false, mainBufferEval("loss")},
			{"Distance to the target", "nat", false, mainBufferEval("margins/distance")},
			{"Margin and its target", "nat", false, append(mainBufferEval("margins/nats"),
				curveSpec{"main target", "main/margins/target", drawnDash, 1}, curveSpec{"buffer target", "buffer/margins/target", drawnDash, 2})},
			{"Preference accuracy", "%", true, mainBufferEval("rewards/accuracies")},
			{"Reward of chosen", "beta × nat", false, []curveSpec{
				{"safe", "rewards/safe_rewards", drawnLine, 3}, {"unsafe", "rewards/unsafe_rewards", drawnLine, 4}}},
			{"Log-probability", "nat per response", false, []curveSpec{
				{"chosen", "logps/chosen", drawnLine, 1}, {"rejected", "logps/rejected", drawnLine, 4}}},
		}
	}
	return append(specs,
		chartSpec{"Gradient norm", "before clipping", false, []curveSpec{{"", "grad_norm", drawnLine, 1}}},
		chartSpec{"Learning rate", "", false, []curveSpec{{"", "learning_rate", drawnLine, 1}}},
		chartSpec{"Throughput", "tokens/s", false, []curveSpec{{"", "tokens_per_second", drawnLine, 1}}})
}

// taskSpecs are the charts of the tasks that were measured in the loop, one each: of its first metric, or the first that is a share of right
// answers. They are the values of evaluations that have a standard error.
func taskSpecs(records []track.Record) (specs []chartSpec) {
	place := map[string]int{}
	for _, r := range records {
		for _, v := range r.Values {
			name, ok := strings.CutSuffix(v.Name, track.StderrEnding)
			if !ok || !r.Evaluation() {
				continue
			}
			task, metric, _ := strings.Cut(strings.TrimPrefix(name, "eval_"), "/")
			spec := chartSpec{task, metric, false, []curveSpec{{"evaluation", name, drawnPoint, 3}}}
			if i, seen := place[task]; !seen {
				place[task] = len(specs)
				specs = append(specs, spec)
			} else if strings.HasSuffix(metric, "acc") && !strings.HasSuffix(specs[i].unit, "acc") {
				specs[i] = spec
			}
		}
	}
	return specs
}

func lossUnit(o bfpo.Objective) string {
	switch o.Name {
	case "sft":
		return "nat per token"
	case "bfpo", "ipo":
		return "nat²"
	}
	return "nat"
}

// tick is one labelled place on an axis.
type tick struct {
	At   float64
	Text string
}

// curve is one line or set of dots, ready to draw.
type curve struct {
	Label, Class, Color string
	Faint               string // path of the single steps, under a smoothed line
	Path                string
	Dots                []dot
}

type dot struct{ X, Y float64 }

// chart is one diagram, ready to draw. Hover is JSON for report.js: where the steps lie and what the curves are there.
type chart struct {
	Title, Unit, Note, Summary string
	XTicks, YTicks             []tick
	Curves                     []curve
	Hover                      string
}

// hover is what report.js gets: per curve its label and points [x, y, px, py].
type hover struct {
	Unit   string       `json:"unit"`
	Curves []hoverCurve `json:"curves"`
}

type hoverCurve struct {
	Label  string       `json:"label"`
	Points [][4]float64 `json:"points"`
}

// newChart draws a spec; ok is false where no record has a value for it.
func newChart(spec chartSpec, records []track.Record) (c chart, ok bool) {
	c = chart{Title: spec.title, Unit: spec.unit}
	var curves [][]point
	var specs []curveSpec
	for _, s := range spec.curves {
		points := pointsOf(records, s.name)
		if spec.percent {
			for i := range points {
				points[i].y *= 100
			}
		}
		if len(points) > 0 {
			curves, specs = append(curves, points), append(specs, s)
		}
	}
	if len(curves) == 0 {
		return c, false
	}
	p := newPlane(curves, spec.percent)
	c.XTicks, c.YTicks = p.ticks()
	h := hover{Unit: spec.unit}
	for i, points := range curves {
		drawn, shown := c.draw(specs[i], points, p)
		c.Curves = append(c.Curves, drawn)
		h.Curves = append(h.Curves, hoverCurve{drawn.Label, p.hoverPoints(shown)})
	}
	c.Summary = summary(spec, specs, curves)
	text, err := json.Marshal(h)
	c.Hover = string(text)
	return c, err == nil
}

// draw makes a curve's paths and returns also the points that a reader may ask for.
func (c *chart) draw(s curveSpec, points []point, p plane) (drawn curve, shown []point) {
	color := "c" + strconv.Itoa(s.color)
	drawn = curve{Label: s.label, Class: s.drawn + " " + color, Color: color}
	if s.drawn == drawnPoint {
		for _, q := range thin(points, chartBuckets) {
			drawn.Dots = append(drawn.Dots, dot{p.x(q.x), p.y(q.y)})
		}
		return drawn, thin(points, chartBuckets)
	}
	// A learning rate is exact: only measured curves are smoothed.
	if half := len(points) / smoothParts / 2; len(points) >= smoothFrom && half > 0 && s.name != "learning_rate" {
		drawn.Faint = p.path(thin(points, chartBuckets))
		points = smooth(points, half)
		c.Note = fmt.Sprintf("mean of %d steps", 2*half+1)
	}
	points = thin(points, chartBuckets)
	drawn.Path = p.path(points)
	if len(points) == 1 {
		drawn.Dots = []dot{{p.x(points[0].x), p.y(points[0].y)}}
	}
	return drawn, points
}

// summary tells the chart's first and last values to those who do not see it.
func summary(spec chartSpec, specs []curveSpec, curves [][]point) string {
	var parts []string
	for i, points := range curves {
		first, last := points[0], points[len(points)-1]
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s from %s at step %.0f to %s at step %.0f",
			specs[i].label, track.FormatNumber(first.y), first.x, track.FormatNumber(last.y), last.x)))
	}
	return spec.title + ": " + strings.Join(parts, "; ")
}

// plane maps steps and values to the drawing.
type plane struct{ x0, x1, y0, y1, yStep float64 }

func newPlane(curves [][]point, percent bool) plane {
	p := plane{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1), 0}
	for _, points := range curves {
		for _, q := range points {
			p.x0, p.x1 = min(p.x0, q.x), max(p.x1, q.x)
			p.y0, p.y1 = min(p.y0, q.y), max(p.y1, q.y)
		}
	}
	if p.x0 == p.x1 {
		p.x0, p.x1 = p.x0-1, p.x1+1
	}
	// A scale from zero where that costs little of the picture.
	switch {
	case percent:
		p.y0, p.y1 = 0, 100
	case p.y0 > 0 && p.y0 < 0.6*p.y1:
		p.y0 = 0
	case p.y0 == p.y1 && p.y0 == 0:
		p.y1 = 1
	case p.y0 == p.y1:
		p.y0, p.y1 = p.y0-0.1*math.Abs(p.y0), p.y1+0.1*math.Abs(p.y1)
	}
	p.yStep = NiceStep(p.y1-p.y0, 4)
	p.y0, p.y1 = math.Floor(p.y0/p.yStep+1e-9)*p.yStep, math.Ceil(p.y1/p.yStep-1e-9)*p.yStep
	return p
}

func (p plane) x(x float64) float64 {
	return round1(chartLeft + (x-p.x0)/(p.x1-p.x0)*(chartWidth-chartLeft-chartRight))
}

func (p plane) y(y float64) float64 {
	return round1(chartHeight - chartBottom - (y-p.y0)/(p.y1-p.y0)*(chartHeight-chartTop-chartBottom))
}

func round1(x float64) float64 { return math.Round(x*10) / 10 }

func (p plane) path(points []point) string {
	var b strings.Builder
	for i, q := range points {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%g %g", command, p.x(q.x), p.y(q.y))
	}
	return b.String()
}

func (p plane) hoverPoints(points []point) [][4]float64 {
	out := make([][4]float64, len(points))
	for i, q := range points {
		y, _ := strconv.ParseFloat(strconv.FormatFloat(q.y, 'g', 4, 64), 64)
		out[i] = [4]float64{q.x, y, p.x(q.x), p.y(q.y)}
	}
	return out
}

func (p plane) ticks() (xs, ys []tick) {
	step := max(NiceStep(p.x1-p.x0, 5), 1)
	if step == 2.5 {
		step = 5
	}
	for x := math.Ceil(p.x0/step) * step; x <= p.x1; x += step {
		xs = append(xs, tick{p.x(x), strconv.FormatFloat(x, 'f', 0, 64)})
	}
	for i := 0; i <= int(math.Round((p.y1-p.y0)/p.yStep)); i++ {
		y := p.y0 + float64(i)*p.yStep
		ys = append(ys, tick{p.y(y), TickText(y, p.yStep, max(math.Abs(p.y0), math.Abs(p.y1)))})
	}
	return xs, ys
}

// TickText writes a tick with the digits its step needs; small and large numbers by a short exponent (5e-6), thousands as 12k.
func TickText(y, step, largest float64) string {
	y = math.Round(y/step*2) / 2 * step
	switch {
	case math.Abs(y) < step/4:
		return "0"
	case largest < 1e-2 || largest >= 1e6:
		text := strconv.FormatFloat(y, 'e', 3, 64)
		mantissa, exponent, _ := strings.Cut(text, "e")
		number, _ := strconv.Atoi(exponent)
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		return strings.ReplaceAll(fmt.Sprintf("%se%d", mantissa, number), "-", "−")
	case largest >= 1e4 && step >= 100:
		return strings.ReplaceAll(strconv.FormatFloat(y/1000, 'f', -1, 64)+"k", "-", "−")
	}
	decimals := 0
	for s := step; decimals < 5 && math.Abs(s-math.Round(s)) > 1e-6*s; s *= 10 {
		decimals++
	}
	return strings.ReplaceAll(strconv.FormatFloat(y, 'f', decimals, 64), "-", "−")
}
