// Package draw shows the notebooks' charts, surfaces, tables and coloured rows.
//
// Every figure is an SVG picture, so that a notebook can be read where nothing runs and without a network: on a code host, in a saved
// page. Surface adds a plotly figure to turn with the mouse. Outside of a notebook nothing is shown.
package draw

import (
	"fmt"
	"html"
	"strings"
)

// Mark is how a series is drawn.
type Mark int

// The marks of a series.
const (
	Line Mark = iota // with a band where Low and High are given
	Dash             // a line that says where something should be
	Dots             // with error bars where Low and High are given
	Bars             // one for each name of the chart's Names, series beside each other
)

// Series is one curve, cloud of points or row of bars.
type Series struct {
	Name        string
	Mark        Mark
	X, Y        []float64 // X is not needed for bars
	Low, High   []float64 // a band or error bars; nil for none
	Left, Right []float64 // error bars along X, of dots; nil for none
	Labels      []string  // written beside dots; nil for none
}

// Chart is one diagram.
type Chart struct {
	Title  string
	X, Y   string   // what the axes show, with units
	Names  []string // names on the X axis instead of numbers
	Series []Series
	Low    float64 // of the Y axis; where Low and High are both 0, the data decide
	High   float64
}

// Size of a chart and of its margins, in pixels.
const (
	chartWidth, chartHeight                     = 440.0, 300.0
	marginLeft, marginRight, marginTop, marginX = 66.0, 16.0, 60.0, 46.0
)

// color tells series apart also for most people who see fewer colours, and in grey.
func color(i int) string {
	return []string{"#0b62a4", "#d1495b", "#2a9d55", "#8d5fb4", "#4a4e57", "#c77d0a"}[i%6]
}

// SVG draws charts beside each other, as many in a row as columns says, on a white ground, which both bright and dark pages need.
func SVG(columns int, charts ...Chart) string {
	parts := make([]string, len(charts))
	for i, c := range charts {
		parts[i] = c.draw()
	}
	return sheet(min(columns, len(charts)), chartWidth, chartHeight, parts)
}

// sheet puts drawings of one size onto a page.
func sheet(columns int, width, height float64, parts []string) string {
	columns = max(columns, 1)
	rows := (len(parts) + columns - 1) / columns
	var b strings.Builder
	w, h := width*float64(columns), height*float64(rows)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" font-family="sans-serif" font-size="12">`,
		w, h, w, h)
	fmt.Fprintf(&b, `<rect width="%g" height="%g" fill="#fff"/>`, w, h)
	for i, part := range parts {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">%s</g>`, float64(i%columns)*width, float64(i/columns)*height, part)
	}
	return b.String() + "</svg>"
}

// draw is the chart as SVG elements.
func (c Chart) draw() string {
	p := c.plane()
	var b strings.Builder
	b.WriteString(frame(c.Title, c.X, c.Y, chartWidth))
	p.axes(&b, c.Names)
	bars := 0
	for _, s := range c.Series {
		if s.Mark == Bars {
			bars++
		}
	}
	bar := 0
	for i, s := range c.Series {
		switch s.Mark {
		case Bars:
			p.bars(&b, s, color(i), bar, bars)
			bar++
		case Dots:
			p.dots(&b, s, color(i))
		default:
			p.line(&b, s, color(i))
		}
	}
	c.legend(&b)
	return b.String()
}

// frame is a title and what the axes show.
func frame(title, x, y string, width float64) string {
	middle := (marginTop + chartHeight - marginX) / 2
	return fmt.Sprintf(`<text x="%g" y="18" font-size="14" font-weight="600" fill="#1b1f24">%s</text>`, 10.0, html.EscapeString(title)) +
		fmt.Sprintf(`<text x="%g" y="%g" text-anchor="middle" fill="#4a4e57">%s</text>`, (marginLeft+width-marginRight)/2, chartHeight-8, html.EscapeString(x)) +
		fmt.Sprintf(`<text x="14" y="%g" text-anchor="middle" transform="rotate(-90 14 %g)" fill="#4a4e57">%s</text>`, middle, middle, html.EscapeString(y))
}

// legend names the series, in two lines where one is not enough.
func (c Chart) legend(b *strings.Builder) {
	x, y := marginLeft, 38.0
	for i, s := range c.Series {
		if s.Name == "" {
			continue
		}
		width := 36 + 6.4*float64(len([]rune(s.Name)))
		if x > marginLeft && x+width > chartWidth {
			x, y = marginLeft, y+15
		}
		dash := ""
		if s.Mark == Dash {
			dash = ` stroke-dasharray="5 3"`
		}
		if s.Mark == Line || s.Mark == Dash {
			fmt.Fprintf(b, `<path d="M%g %gh16" stroke="%s" stroke-width="2.5"%s/>`, tenth(x), y-4, color(i), dash)
		} else {
			fmt.Fprintf(b, `<rect x="%g" y="%g" width="10" height="10" rx="2" fill="%s"/>`, tenth(x+3), y-9, color(i))
		}
		fmt.Fprintf(b, `<text x="%g" y="%g" fill="#1b1f24">%s</text>`, tenth(x+21), y, html.EscapeString(s.Name))
		x += width
	}
}
