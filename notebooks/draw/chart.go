// Package draw shows the notebooks' charts, surfaces, tables and coloured rows.
//
// Every figure is an SVG picture of package chart, so that a notebook can be read where nothing runs and without a
// network: on a code host, in a saved page. ShowSurfaces adds a plotly figure to turn with the mouse. Outside of a
// notebook nothing is shown.
package draw

import "github.com/bfpo-go/bfpo/bfpo/chart"

// The types of package chart, under the names that the notebooks' cells use.
type (
	Chart   = chart.Chart
	Series  = chart.Series
	Mark    = chart.Mark
	Surface = chart.Surface
)

// The marks of a series.
const (
	Line = chart.Line
	Dash = chart.Dash
	Dots = chart.Dots
	Bars = chart.Bars
)
