// Package chart draws charts and surfaces as SVG: numbers in, text out.
//
// SVG gives a picture that stands alone, with titles and legends in it, for notebooks. Chart.Plot gives the bare plot
// for an HTML page, which has its own caption and legend. Elements have colors as attributes and classes beside them,
// so that a page's style sheet may replace the colors, for a dark page for example.
package chart

import (
	"strconv"
)

// Mark is how a series is drawn.
type Mark int

// The marks of a series.
const (
	Line  Mark = iota // with a band where Low and High are given
	Dash              // a line that says where something should be
	Dots              // with error bars where Low and High are given
	Bars              // one for each name of the chart's Names, series beside each other
	Faint             // a thin pale line, such as the single steps under a smoothed line; it is in no legend
)

// class is the mark's class in a page's style sheet.
func (m Mark) class() string { return [...]string{"line", "dash", "dots", "bars", "faint"}[m] }

// Series is one curve, cloud of points or row of bars.
type Series struct {
	Name        string
	Mark        Mark
	Color       int       // 1 to 6; 0: the number of the series in its chart
	X, Y        []float64 // X is not needed for bars
	Low, High   []float64 // a band or error bars; nil for none
	Left, Right []float64 // error bars along X, of dots; nil for none
	Labels      []string  // written beside dots, or above bars; nil for none
	Tips        []string  // shown where the pointer rests on dots; nil for none
}

// Size is the size of a chart and of the margins around its frame, in pixels.
type Size struct{ Width, Height, Left, Right, Top, Bottom float64 }

// Chart is one diagram. Dots alone that have labels or error bars along X make a scatter plot: its axes are wider than
// the data, and its grid has lines both ways.
type Chart struct {
	Title   string
	X, Y    string   // what the axes show, with units
	Names   []string // names on the X axis instead of numbers
	Series  []Series
	Low     float64 // of the Y axis; where Low and High are both 0, the data decide
	High    float64
	Span    float64 // the least range of either axis of a scatter plot
	Size    Size    // zero: 440 by 300 with space for a title and a legend
	Summary string  // the chart in words, for readers who do not see it; used by Plot
}

// size returns the chart's size, or the default.
func (c Chart) size() Size {
	if c.Size == (Size{}) {
		return Size{Width: 440, Height: 300, Left: 66, Right: 16, Top: 60, Bottom: 46}
	}
	return c.Size
}

// palette has colors that most people who see fewer colors can tell apart too, also in grey.
func palette() []string {
	return []string{"#0b62a4", "#d1495b", "#2a9d55", "#8d5fb4", "#4a4e57", "#c77d0a"}
}

// pen is the color of a series and its class in a page's style sheet.
type pen struct{ color, class string }

// pen returns the pen of series i.
func (c Chart) pen(i int) pen {
	number := c.Series[i].Color
	if number == 0 {
		number = i + 1
	}
	number = (number - 1) % len(palette())
	return pen{palette()[number], "c" + strconv.Itoa(number+1)}
}
