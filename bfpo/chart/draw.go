package chart

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// draw writes the grid and then the series. Faint lines lie under all other series.
func (c Chart) draw(b *strings.Builder) {
	p := c.plane()
	c.axes(b, p)
	for i, s := range c.Series {
		if s.Mark == Faint {
			p.line(b, s, c.pen(i))
		}
	}
	bars, bar := 0, 0
	for _, s := range c.Series {
		if s.Mark == Bars {
			bars++
		}
	}
	for i, s := range c.Series {
		switch s.Mark {
		case Faint: // drawn above
		case Bars:
			p.bars(b, s, c.pen(i), bar, bars)
			bar++
		case Dots:
			p.dots(b, s, c.pen(i))
		default:
			p.line(b, s, c.pen(i))
		}
	}
	p.labels(b, c.Series)
}

// line draws a curve and its band. The curve has a gap at a value that is not finite.
func (p plane) line(b *strings.Builder, s Series, pen pen) {
	if len(s.Low) > 0 {
		p.band(b, s, pen)
	}
	var path strings.Builder
	command := "M"
	for i, x := range s.X {
		if !isFinite(s.Y[i]) {
			command = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%g %g", command, p.x.at(x), p.y.at(s.Y[i]))
		command = "L"
	}
	style := `stroke-width="2"` + dashes(s.Mark)
	if s.Mark == Faint {
		style = `stroke-width="0.8" opacity="0.3"`
	}
	fmt.Fprintf(b, `<path class="%s %s" d="%s" fill="none" stroke="%s" stroke-linejoin="round" %s/>`,
		s.Mark.class(), pen.class, path.String(), pen.color, style)
	if len(s.X) == 1 {
		p.dots(b, Series{Mark: Dots, X: s.X, Y: s.Y}, pen)
	}
}

// band draws the area between Low and High.
func (p plane) band(b *strings.Builder, s Series, pen pen) {
	var forth, back []string
	for i, x := range s.X {
		if isFinite(s.Low[i]) && isFinite(s.High[i]) {
			forth = append(forth, fmt.Sprintf("%g,%g", p.x.at(x), p.y.at(s.High[i])))
			back = append(back, fmt.Sprintf("%g,%g", p.x.at(x), p.y.at(s.Low[i])))
		}
	}
	slices.Reverse(back)
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" fill-opacity="0.16"/>`,
		strings.Join(append(forth, back...), " "), pen.color)
}

// dots draws points with their labels and error bars. Points without either are small.
func (p plane) dots(b *strings.Builder, s Series, pen pen) {
	radius := 2.6
	if len(s.Low) > 0 || len(s.Left) > 0 || len(s.Labels) > 0 {
		radius = 4.5
	}
	fmt.Fprintf(b, `<g class="%s" stroke="%s">`, pen.class, pen.color)
	for i, x := range s.X {
		if !isFinite(x) || !isFinite(s.Y[i]) {
			continue
		}
		x, y := p.x.at(x), p.y.at(s.Y[i])
		b.WriteString("<g>")
		if len(s.Tips) > 0 {
			fmt.Fprintf(b, "<title>%s</title>", html.EscapeString(s.Tips[i]))
		}
		if s.Ellipse {
			p.ellipse(b, s, i, pen)
		}
		bars := ""
		if !s.Ellipse && len(s.Left) > 0 && isFinite(s.Left[i]) && isFinite(s.Right[i]) {
			bars += fmt.Sprintf("M%g %gL%g %g", p.x.at(s.Left[i]), y, p.x.at(s.Right[i]), y)
		}
		if !s.Ellipse && len(s.Low) > 0 && isFinite(s.Low[i]) && isFinite(s.High[i]) {
			bars += fmt.Sprintf("M%g %gL%g %g", x, p.y.at(s.Low[i]), x, p.y.at(s.High[i]))
		}
		if bars != "" {
			fmt.Fprintf(b, `<path class="error" d="%s" stroke-width="1.4"/>`, bars)
		}
		fmt.Fprintf(b, `<circle class="dots %s" cx="%g" cy="%g" r="%g" fill="%s"/></g>`,
			pen.class, x, y, radius, pen.color)
	}
	b.WriteString("</g>")
}

// ellipse draws the region around a dot.
func (p plane) ellipse(b *strings.Builder, s Series, i int, pen pen) {
	width, height := p.x.at(s.Right[i])-p.x.at(s.Left[i]), p.y.at(s.Low[i])-p.y.at(s.High[i])
	if isFinite(width) && isFinite(height) {
		fmt.Fprintf(b, `<ellipse class="region %s" cx="%g" cy="%g" rx="%g" ry="%g" fill="%s" fill-opacity="0.1"/>`,
			pen.class, p.x.at(s.X[i]), p.y.at(s.Y[i]), tenth(width/2), tenth(height/2), pen.color)
	}
}

// bars draws the bars of a series, which is the given number of all series with bars.
func (p plane) bars(b *strings.Builder, s Series, pen pen, number, all int) {
	width := 0.8 * (p.x.to - p.x.from) / (p.x.high - p.x.low) / float64(all)
	for i, y := range s.Y {
		left := p.x.at(float64(i)) + (float64(number)-float64(all)/2)*width
		top, height := min(p.y.at(y), p.y.at(0)), math.Abs(p.y.at(y)-p.y.at(0))
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="%g" height="%g" fill="%s"/>`,
			tenth(left), top, tenth(max(width-1, 0.5)), tenth(height), pen.color)
		middle := tenth(left + width/2)
		if len(s.Low) > 0 {
			fmt.Fprintf(b, `<path d="M%g %gV%g" stroke="%s" stroke-width="1.5"/>`,
				middle, p.y.at(s.Low[i]), p.y.at(s.High[i]), ink)
		}
		if len(s.Labels) > 0 {
			fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="%s">%s</text>`, middle, top-4, ink,
				html.EscapeString(s.Labels[i]))
		}
	}
}
