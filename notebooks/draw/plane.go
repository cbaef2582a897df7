package draw

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
)

// plane maps numbers to a chart's pixels.
type plane struct{ x0, x1, y0, y1, xStep, yStep float64 }

// plane is the smallest that shows all of the chart's numbers.
func (c Chart) plane() plane {
	p := plane{x0: math.Inf(1), x1: math.Inf(-1), y0: math.Inf(1), y1: math.Inf(-1)}
	cloud := true
	for _, s := range c.Series {
		for _, ys := range [][]float64{s.Y, s.Low, s.High} {
			for _, y := range finite(ys) {
				p.y0, p.y1 = min(p.y0, y), max(p.y1, y)
			}
		}
		for _, xs := range [][]float64{s.X, s.Left, s.Right} {
			for _, x := range finite(xs) {
				p.x0, p.x1 = min(p.x0, x), max(p.x1, x)
			}
		}
		if s.Mark == Bars {
			p.y0, p.y1 = min(p.y0, 0), max(p.y1, 0)
		}
		cloud = cloud && s.Mark == Dots
	}
	p.x0, p.x1 = span(p.x0, p.x1)
	p.y0, p.y1 = span(p.y0, p.y1)
	if cloud { // points do not lie on the frame, and there is room for their labels
		p.x0, p.x1 = p.x0-0.06*(p.x1-p.x0), p.x1+0.2*(p.x1-p.x0)
	}
	if c.Low != 0 || c.High != 0 {
		p.y0, p.y1 = c.Low, c.High
	}
	if len(c.Names) > 0 {
		p.x0, p.x1 = -0.5, float64(len(c.Names))-0.5
	}
	p.xStep, p.yStep = report.NiceStep(p.x1-p.x0, 6), report.NiceStep(p.y1-p.y0, 5)
	if c.whole() { // steps have no half
		p.xStep = math.Ceil(p.xStep)
	}
	if c.Low == 0 && c.High == 0 {
		p.y0, p.y1 = math.Floor(p.y0/p.yStep+1e-9)*p.yStep, math.Ceil(p.y1/p.yStep-1e-9)*p.yStep
	}
	return p
}

// whole tells whether all that is drawn lies at whole numbers of the X axis.
func (c Chart) whole() bool {
	for _, s := range c.Series {
		if slices.ContainsFunc(s.X, func(x float64) bool { return x != math.Trunc(x) }) {
			return false
		}
	}
	return true
}

func finite(xs []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(xs), func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

// span is a range that is not empty.
func span(low, high float64) (float64, float64) {
	switch {
	case low > high:
		return 0, 1
	case low == high:
		return low - max(0.1*math.Abs(low), 0.5), high + max(0.1*math.Abs(high), 0.5)
	}
	return low, high
}

func (p plane) x(x float64) float64 {
	return tenth(marginLeft + (x-p.x0)/(p.x1-p.x0)*(chartWidth-marginLeft-marginRight))
}

// y is the place of a value; one beyond the axis lies on its end.
func (p plane) y(y float64) float64 {
	y = min(max(y, p.y0), p.y1)
	return tenth(chartHeight - marginX - (y-p.y0)/(p.y1-p.y0)*(chartHeight-marginTop-marginX))
}

func tenth(x float64) float64 { return math.Round(10*x) / 10 }

// axes are the grid and its numbers, or names.
func (p plane) axes(b *strings.Builder, names []string) {
	for y := math.Ceil(p.y0/p.yStep-1e-9) * p.yStep; y <= p.y1+p.yStep*1e-6; y += p.yStep {
		fmt.Fprintf(b, `<path d="M%g %gH%g" stroke="#e3e5e8"/>`, marginLeft, p.y(y), chartWidth-marginRight)
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="end" fill="#4a4e57">%s</text>`, marginLeft-6, p.y(y)+4,
			report.TickText(y, p.yStep, max(math.Abs(p.y0), math.Abs(p.y1))))
	}
	under := chartHeight - marginX + 16
	for i, name := range names {
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="#4a4e57">%s</text>`, p.x(float64(i)), under, html.EscapeString(name))
	}
	for x := math.Ceil(p.x0/p.xStep-1e-9) * p.xStep; len(names) == 0 && x <= p.x1+p.xStep*1e-6; x += p.xStep {
		fmt.Fprintf(b, `<path d="M%g %gv4" stroke="#4a4e57"/>`, p.x(x), chartHeight-marginX)
		fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="#4a4e57">%s</text>`, p.x(x), under,
			report.TickText(x, p.xStep, max(math.Abs(p.x0), math.Abs(p.x1))))
	}
	zero := chartHeight - marginX
	if p.y0 < 0 && p.y1 > 0 {
		zero = p.y(0)
	}
	fmt.Fprintf(b, `<path d="M%g %gH%g" stroke="#4a4e57"/>`, marginLeft, zero, chartWidth-marginRight)
}

// line draws a curve and its band; where a value is no number the curve has a gap.
func (p plane) line(b *strings.Builder, s Series, color string) {
	if len(s.Low) > 0 {
		var forth, back []string
		for i := range s.X {
			if !math.IsNaN(s.Low[i]) && !math.IsNaN(s.High[i]) {
				forth = append(forth, p.at(s.X[i], s.High[i]))
				back = append(back, p.at(s.X[i], s.Low[i]))
			}
		}
		slices.Reverse(back)
		fmt.Fprintf(b, `<polygon points="%s" fill="%s" fill-opacity="0.16"/>`, strings.Join(append(forth, back...), " "), color)
	}
	dash, path, command := "", "", "M"
	if s.Mark == Dash {
		dash = ` stroke-dasharray="5 3"`
	}
	for i, x := range s.X {
		if math.IsNaN(s.Y[i]) || math.IsInf(s.Y[i], 0) {
			command = "M"
			continue
		}
		path += command + p.at(x, s.Y[i])
		command = "L"
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-linejoin="round"%s/>`, path, color, dash)
	if len(s.X) == 1 {
		p.dots(b, Series{X: s.X, Y: s.Y}, color)
	}
}

func (p plane) at(x, y float64) string { return fmt.Sprintf("%g,%g", p.x(x), p.y(y)) }

// dots draws points, with error bars and labels.
func (p plane) dots(b *strings.Builder, s Series, color string) {
	for i, x := range s.X {
		if len(s.Low) > 0 {
			fmt.Fprintf(b, `<path d="M%g %gV%g" stroke="%s" stroke-width="1.5"/>`, p.x(x), p.y(s.Low[i]), p.y(s.High[i]), color)
		}
		if len(s.Left) > 0 {
			fmt.Fprintf(b, `<path d="M%g %gH%g" stroke="%s" stroke-width="1.5"/>`, p.x(s.Left[i]), p.y(s.Y[i]), p.x(s.Right[i]), color)
		}
		fmt.Fprintf(b, `<circle cx="%g" cy="%g" r="4" fill="%s"/>`, p.x(x), p.y(s.Y[i]), color)
		if len(s.Labels) > 0 {
			fmt.Fprintf(b, `<text x="%g" y="%g" fill="#1b1f24">%s</text>`, p.x(x)+8, p.y(s.Y[i])-6, html.EscapeString(s.Labels[i]))
		}
	}
}

// bars draws a series' bars; it is the series number of all that share the places.
func (p plane) bars(b *strings.Builder, s Series, color string, number, all int) {
	width := 0.8 * (p.x(1) - p.x(0)) / float64(all)
	for i, y := range s.Y {
		left := p.x(float64(i)) + (float64(number)-float64(all)/2)*width
		top, height := min(p.y(y), p.y(0)), math.Abs(p.y(y)-p.y(0))
		fmt.Fprintf(b, `<rect x="%g" y="%g" width="%g" height="%g" fill="%s"/>`, tenth(left), top, tenth(max(width-1, 0.5)), tenth(height), color)
		if len(s.Low) > 0 {
			fmt.Fprintf(b, `<path d="M%g %gV%g" stroke="#1b1f24" stroke-width="1.5"/>`, tenth(left+width/2), p.y(s.Low[i]), p.y(s.High[i]))
		}
		if len(s.Labels) > 0 {
			fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle" fill="#1b1f24">%s</text>`, tenth(left+width/2), top-4, html.EscapeString(s.Labels[i]))
		}
	}
}
