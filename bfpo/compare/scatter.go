package compare

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/chart"
)

// modelColors is the number of colors for models in the page's style sheet.
const modelColors = 5

// newScatter returns the chart of safety against helpfulness, with one point for each model and one standard error in
// each direction; ok is false if an axis has no task.
func newScatter(c Comparison) (s chart.Chart, ok bool) {
	x, y := c.Axes[0].Scores, c.Axes[1].Scores
	if len(x) == 0 || len(y) == 0 {
		return s, false
	}
	s = chart.Chart{
		X: c.Axes[0].Name + " →", Y: "↑ " + c.Axes[1].Name, Span: 0.02,
		Size: chart.Size{Width: 460, Height: 320, Left: 54, Right: 16, Top: 22, Bottom: 46},
	}
	var words []string
	for i, m := range c.Models {
		tip := fmt.Sprintf("%s: helpfulness %s, safety %s", m.Name, withError(x[i].Value, x[i].Error, 3, false),
			withError(y[i].Value, y[i].Error, 3, false))
		s.Series = append(s.Series, chart.Series{
			Name: m.Name, Mark: chart.Dots, Color: i%modelColors + 1, Labels: []string{m.Name}, Tips: []string{tip},
			X: []float64{x[i].Value}, Y: []float64{y[i].Value},
			Left: []float64{x[i].Value - x[i].Error}, Right: []float64{x[i].Value + x[i].Error},
			Low: []float64{y[i].Value - y[i].Error}, High: []float64{y[i].Value + y[i].Error},
		})
		words = append(words, tip+". ")
	}
	s.Summary = strings.Join(words, "")
	return s, true
}

// colorOf returns the CSS class of the color of model i.
func colorOf(i int) string { return "c" + strconv.Itoa(i%modelColors+1) }

// plotHTML returns a plot, whose texts package chart has escaped.
func plotHTML(c chart.Chart) template.HTML { return template.HTML(c.Plot()) }
