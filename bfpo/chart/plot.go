package chart

import (
	"encoding/json"
	"fmt"
	"html"
	"strconv"
	"strings"
)

// RenderCharts draws charts side by side as SVG, at most the given number in a row. The background is white, so that
// they are readable on a dark page too. All charts need the size of the first one.
func RenderCharts(columns int, charts ...Chart) string {
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

// Plot draws the chart as an SVG element of class "plot" for an HTML page, without title and legend. It contains a
// hidden line of class "cursor" for the page's script.
func (c Chart) Plot() string {
	size := c.size()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="plot" viewBox="0 0 %g %g" role="img" aria-label="%s">`, size.Width, size.Height,
		html.EscapeString(c.Summary))
	c.draw(&b)
	fmt.Fprintf(&b, `<text class="axis" x="%g" y="%g" text-anchor="end">%s</text>`,
		size.Width-size.Right, size.Height-4, html.EscapeString(c.X))
	if c.Y != "" {
		fmt.Fprintf(&b, `<text class="axis" x="4" y="%g">%s</text>`, size.Top-11, html.EscapeString(c.Y))
	}
	fmt.Fprintf(&b, `<line class="cursor" y1="%g" y2="%g" x1="0" x2="0" visibility="hidden"/>`,
		size.Top, size.Height-size.Bottom)
	return b.String() + "</svg>"
}

// LegendEntry is one entry of a legend in an HTML page.
type LegendEntry struct {
	Name, Class string // Class lists the CSS classes of the line or the dot
	Line        bool   // a line, not a dot
}

// Legend returns the entries of the named series.
func (c Chart) Legend() (keys []LegendEntry) {
	for i, s := range c.Series {
		if s.Name != "" && s.Mark != Faint {
			keys = append(keys, LegendEntry{s.Name, s.Mark.class() + " " + c.pen(i).class, s.Mark == Line || s.Mark == Dash})
		}
	}
	return keys
}

// HoverJSON returns the plotted points as JSON for a page's script: the unit of Y, and for each series its name and its
// points as [x, y, x in pixels, y in pixels], with y rounded to four digits.
func (c Chart) HoverJSON() (string, error) {
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
