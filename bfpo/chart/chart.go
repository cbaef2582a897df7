// Package chart draws charts and surfaces as SVG: numbers in, text out.
//
// SVG gives a picture that stands alone, with titles and legends in it, for notebooks. Chart.Plot gives the bare plot
// for an HTML page, which has its own caption and legend. Elements have colors as attributes and classes beside them,
// so that a page's style sheet may replace the colors, for a dark page for example.
package chart

import (
	"encoding/json"
	"fmt"
	"html"
	"strconv"
	"strings"
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

// SVG draws charts beside each other, up to the given number in a row, on a white ground, which both bright and dark
// pages need. The charts have one size.
func SVG(columns int, charts ...Chart) string {
	if len(charts) == 0 {
		return sheet(1, 1, 1, nil)
	}
	parts := make([]string, len(charts))
	for i, c := range charts {
		var b strings.Builder
		b.WriteString(titles(c.Title, c.X, c.Y, c.size()))
		c.draw(&b)
		c.legend(&b)
		parts[i] = b.String()
	}
	size := charts[0].size()
	return sheet(min(columns, len(charts)), size.Width, size.Height, parts)
}

// Plot draws the chart as an SVG element of the class plot for an HTML page. Title and legend are left to the page. An
// invisible line of the class cursor is for the page's script.
func (c Chart) Plot() string {
	size := c.size()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %g %g" role="img" aria-label="%s">`, size.Width, size.Height,
		html.EscapeString(c.Summary))
	c.draw(&b)
	fmt.Fprintf(&b, `<text class="axis" x="%g" y="%g" text-anchor="end">%s</text>`,
		size.Width-size.Right, size.Height-4,
		html.EscapeString(c.X))
	if c.Y != "" {
		fmt.Fprintf(&b, `<text class="axis" x="4" y="%g">%s</text>`, size.Top-11, html.EscapeString(c.Y))
	}
	fmt.Fprintf(&b, `<line class="cursor" y1="%g" y2="%g" x1="0" x2="0" visibility="hidden"/>`,
		size.Top, size.Height-size.Bottom)
	return b.String() + "</svg>"
}

// Key is one entry of a legend in an HTML page: Class are the classes of the line or of the dot.
type Key struct {
	Name, Class string
	Line        bool
}

// Legend returns the named series.
func (c Chart) Legend() (keys []Key) {
	for i, s := range c.Series {
		if s.Name != "" && s.Mark != Faint {
			keys = append(keys, Key{s.Name, s.Mark.class() + " " + c.pen(i).class, s.Mark == Line || s.Mark == Dash})
		}
	}
	return keys
}

// Hover returns the plotted points as JSON for a page's script: the unit of Y, and for each series its name and its
// points as [x, y, x in pixels, y in pixels], y in four digits. Numbers that are not finite are left out.
func (c Chart) Hover() (string, error) {
	type curve struct {
		Label  string       `json:"label"`
		Points [][4]float64 `json:"points"`
	}
	curves, p := []curve{}, c.plane()
	for _, s := range c.Series {
		if s.Mark == Faint {
			continue
		}
		points := [][4]float64{}
		for i, x := range s.X {
			if isFinite(s.Y[i]) {
				y, _ := strconv.ParseFloat(strconv.FormatFloat(s.Y[i], 'g', 4, 64), 64)
				points = append(points, [4]float64{x, y, p.x.at(x), p.y.at(s.Y[i])})
			}
		}
		curves = append(curves, curve{s.Name, points})
	}
	text, err := json.Marshal(map[string]any{"unit": c.Y, "curves": curves})
	return string(text), err
}
