package study

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/chart"
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/report"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// answersShown is the number of prompts whose answers the page shows; answers.jsonl has all.
const answersShown = 24

// view is the data of the page's template.
type view struct {
	Created     time.Time
	Version     string
	Settings    int
	Frontier    chart.Chart
	Cases       chart.Chart
	Table       [][]string
	Differences [][]string
	Notes       []string
	Answers     []answers
	Prompts     int
}

// answers holds what each model says to one prompt.
type answers struct {
	Prompt string
	Sides  []side
}

type side struct{ Model, Text string }

// writePage writes the results as one self-contained page.
func writePage(path, version string, r Result, before measure.HeldOut, all []measured) error {
	v := view{
		Created: time.Now(), Version: version, Frontier: frontierChart(r.Frontier), Cases: caseChart(r),
		Table: r.table(), Notes: r.notes(), Answers: sideBySide(before, all), Prompts: len(before.Prompts),
	}
	if len(r.Differences) > 0 {
		v.Differences = r.differenceTable()
	}
	page := report.Page{Source: pageSource, Style: pageStyle, Funcs: template.FuncMap{
		"plot": func(c chart.Chart) template.HTML { return template.HTML(c.Plot()) }, // package chart escapes its texts
	}}
	return page.Write(path, v)
}

// ellipse is how many standard errors the half axes of an ellipse have that holds 95 % of a normal distribution in two
// dimensions: sqrt(-2 ln 0.05).
const ellipse = 2.4477

// frontierChart shows every setting between helpfulness and safety, with its seeds as small points.
func frontierChart(points []Point) chart.Chart {
	c := chart.Chart{
		X: "better of two safe answers gained, % of pairs →", Y: "↑ safe answer gained, % of pairs", Span: 2,
		Size: chart.Size{Width: 620, Height: 420, Left: 54, Right: 16, Top: 22, Bottom: 46},
	}
	var words []string
	for i, p := range points {
		tip := fmt.Sprintf("%s: safety %.1f ± %.1f %%, helpfulness %.1f ± %.1f %%", p.Name, 100*p.Safety, 100*p.SafetyErr,
			100*p.Helpfulness, 100*p.HelpErr)
		around := func(mean, err float64) (low, high []float64) {
			return []float64{100 * (mean - ellipse*err)}, []float64{100 * (mean + ellipse*err)}
		}
		left, right := around(p.Helpfulness, p.HelpErr)
		low, high := around(p.Safety, p.SafetyErr)
		c.Series = append(c.Series, chart.Series{
			Name: p.Name, Mark: chart.Dots, Color: i + 1, Ellipse: true, Labels: []string{p.Name}, Tips: []string{tip},
			X: []float64{100 * p.Helpfulness}, Y: []float64{100 * p.Safety}, Left: left, Right: right, Low: low, High: high,
		})
		words = append(words, tip+". ")
	}
	c.Summary = strings.Join(words, "")
	return c
}

// caseChart shows the mean margin of every setting for each combination of labels, the mean over its seeds.
func caseChart(r Result) chart.Chart {
	c := chart.Chart{
		Y: "mean margin, nat", Size: chart.Size{Width: 620, Height: 320, Left: 54, Right: 16, Top: 22, Bottom: 30},
	}
	for _, k := range labelCases() {
		if _, ok := r.Before[k.name+"/pairs"]; ok {
			c.Names = append(c.Names, k.title)
		}
	}
	series := map[string]int{}
	counts := map[string]float64{}
	for _, run := range r.Runs {
		if run.Failed != "" {
			continue
		}
		at, ok := series[run.Name]
		if !ok {
			at = len(c.Series)
			series[run.Name] = at
			c.Series = append(c.Series, chart.Series{
				Name: run.Name, Mark: chart.Bars, Color: at + 1, Y: make([]float64, len(c.Names)),
			})
		}
		n := counts[run.Name]
		counts[run.Name]++
		i := 0
		for _, k := range labelCases() {
			if x, ok := run.Metrics[k.name+"/margin"]; ok {
				c.Series[at].Y[i] = (c.Series[at].Y[i]*n + x) / (n + 1)
				i++
			}
		}
	}
	return c
}

// sideBySide returns the answers before training and after the first seed of every setting.
func sideBySide(before measure.HeldOut, all []measured) (list []answers) {
	for i := range min(len(before.Answers), answersShown) {
		a := answers{Prompt: promptText(before.Prompts[i]), Sides: []side{{"before", before.Answers[i].Text}}}
		shown := map[string]bool{}
		for _, m := range all {
			if !shown[m.setting.Name] && m.failed == "" {
				shown[m.setting.Name] = true
				a.Sides = append(a.Sides, side{m.setting.Name, m.Answers[i].Text})
			}
		}
		list = append(list, a)
	}
	return list
}
