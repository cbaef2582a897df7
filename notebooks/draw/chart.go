// Package draw shows charts, surfaces, tables and colored tokens in the project's notebooks.
//
// Every figure is an SVG picture from package chart, so that a reader sees it without a kernel and without a network:
// on a code host or in a saved page. ShowSurfaces adds an interactive plotly figure. Steps and Band make charts of the
// metrics of a training run, and Live draws a chart again and again while the run goes on.
//
// Outside a notebook the package shows nothing, so that a program with its calls still runs.
package draw

import "github.com/bfpo-go/bfpo/bfpo/chart"

// The types of package chart, under the names that the notebooks' cells use.
type (
	// Chart is one diagram.
	Chart = chart.Chart
	// Series is one curve, cloud of points or row of bars.
	Series = chart.Series
	// Mark is the way in which a series is drawn.
	Mark = chart.Mark
	// Surface is a function of two variables on a grid.
	Surface = chart.Surface
)

// The marks of a series.
const (
	Line = chart.Line
	Dash = chart.Dash
	Dots = chart.Dots
	Bars = chart.Bars
)
