// Package chart draws charts and surfaces as SVG: numbers in, text out.
//
// RenderCharts returns a complete picture with titles and legends, for notebooks. Chart.Plot returns the plot alone,
// for an HTML page with its own caption and legend; Chart.Legend and Chart.HoverJSON return its legend and its points
// for the page's script. RenderSurfaces draws functions of two variables as maps.
//
// Every element has a color attribute and a class, so that a page's style sheet can replace the colors, for a dark page
// for example. Texts are escaped. Values that are not finite are left out. The package imports the standard library
// only.
package chart

import "strconv"

// Mark is the way in which a series is drawn.
type Mark int

// The marks of a series.
const (
	Line  Mark = iota // a line, with a band between Low and High if they are given
	Dash              // a dashed line, for a target
	Dots              // points, with error bars from Low to High if they are given
	Bars              // one bar for each of the chart's Names; the bars of several series stand side by side
	Faint             // a thin pale line, such as the single steps under a smoothed line; it is in no legend
)

// class returns the mark's class in a page's style sheet.
func (m Mark) class() string { return [...]string{"line", "dash", "dots", "bars", "faint"}[m] }

// Series is one curve, cloud of points or row of bars.
type Series struct {
	Name        string
	Mark        Mark
	Color       int       // 1 to 6; 0: the position of the series in its chart, counted from 1
	X, Y        []float64 // bars need no X
	Low, High   []float64 // a band or error bars; nil for none
	Left, Right []float64 // horizontal error bars of dots; nil for none
	Ellipse     bool      // instead of both error bars of a dot, the ellipse through their ends
	Labels      []string  // written beside dots or above bars; nil for none
	Tips        []string  // tooltips of dots; nil for none
}

// Size is the size of a chart and of the margins around its frame, in pixels.
type Size struct{ Width, Height, Left, Right, Top, Bottom float64 }

// Chart is one diagram. It is a scatter plot if all its series are dots with labels or horizontal error bars: then the
// axes leave space around the points, and the grid has vertical lines too.
type Chart struct {
	Title   string
	X, Y    string   // what the axes show, with units
	Names   []string // names on the X axis in place of numbers
	Series  []Series
	Low     float64 // lower end of the Y axis; if Low and High are both 0, the axis fits the data
	High    float64 // upper end of the Y axis
	Span    float64 // the least range of either axis of a scatter plot
	Size    Size    // zero: 440 by 300 with space for a title and a legend
	Summary string  // the chart in words, for readers who do not see it; Plot includes it
}

// size returns the chart's size, or the default.
func (c Chart) size() Size {
	if c.Size == (Size{}) {
		return Size{Width: 440, Height: 300, Left: 66, Right: 16, Top: 60, Bottom: 46}
	}
	return c.Size
}

// palette returns the colors of series. Color-blind readers can tell them apart, and so can readers of a print in gray.
func palette() []string {
	return []string{"#0b62a4", "#d1495b", "#2a9d55", "#8d5fb4", "#4a4e57", "#c77d0a"}
}

// pen is the color of a series and the color's class in a page's style sheet.
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
