package chart

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// plane maps data to the pixels of a chart.
type plane struct {
	size Size
	x, y scale
}

// plane returns a plane that shows all of the chart's data.
func (c Chart) plane() plane {
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for _, ys := range [][]float64{s.Y, s.Low, s.High} {
			for _, y := range finite(ys) {
				y0, y1 = min(y0, y), max(y1, y)
			}
		}
		for _, xs := range [][]float64{s.X, s.Left, s.Right} {
			for _, x := range finite(xs) {
				x0, x1 = min(x0, x), max(x1, x)
			}
		}
		if s.Mark == Bars {
			y0, y1 = min(y0, 0), max(y1, 0)
		}
	}
	p := plane{size: c.size()}
	if c.isScatter() {
		p.x, p.y = scatterScale(x0, x1, c.Span), scatterScale(y0, y1, c.Span)
	} else {
		p.x, p.y = stepScale(x0, x1, c.isWhole()), valueScale(y0, y1)
	}
	if c.Low != 0 || c.High != 0 {
		p.y = scale{low: c.Low, high: c.High, step: TickStep(c.High-c.Low, 4)}
	}
	if len(c.Names) > 0 {
		p.x = scale{low: -0.5, high: float64(len(c.Names)) - 0.5, step: 1}
	}
	p.x.from, p.x.to = p.size.Left, p.size.Width-p.size.Right
	p.y.from, p.y.to = p.size.Height-p.size.Bottom, p.size.Top
	return p
}

// isScatter reports whether the chart is a scatter plot.
func (c Chart) isScatter() bool {
	return len(c.Series) > 0 && !slices.ContainsFunc(c.Series, func(s Series) bool {
		return s.Mark != Dots || s.Left == nil && s.Labels == nil
	})
}

// isWhole reports whether all X are whole numbers.
func (c Chart) isWhole() bool {
	for _, s := range c.Series {
		if slices.ContainsFunc(s.X, func(x float64) bool { return x != math.Trunc(x) }) {
			return false
		}
	}
	return true
}

// axes draws the grid and the numbers or names along it.
func (c Chart) axes(b *strings.Builder, p plane) {
	left, right, bottom := p.size.Left, p.size.Width-p.size.Right, p.size.Height-p.size.Bottom
	for _, t := range p.y.ticks() {
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%g" y2="%g" stroke="%s"/>`,
			left, right, t.at, t.at, gridGrey)
		fmt.Fprintf(b, `<text class="y" x="%g" y="%g" dy="0.32em" text-anchor="end" fill="%s">%s</text>`,
			left-5, t.at, softInk, html.EscapeString(t.text))
	}
	ticks := p.x.ticks()
	if len(c.Names) > 0 {
		ticks = nil
		for i, name := range c.Names {
			ticks = append(ticks, tick{p.x.at(float64(i)), name})
		}
	}
	for _, t := range ticks {
		switch {
		case c.isScatter():
			fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%g" y2="%g" stroke="%s"/>`,
				t.at, t.at, p.size.Top, bottom, gridGrey)
		case len(c.Names) == 0:
			fmt.Fprintf(b, `<line class="notch" x1="%g" x2="%g" y1="%g" y2="%g" stroke="%s"/>`,
				t.at, t.at, bottom, bottom+4, softInk)
		}
		fmt.Fprintf(b, `<text class="x" x="%g" y="%g" text-anchor="middle" fill="%s">%s</text>`,
			t.at, bottom+16, softInk, html.EscapeString(t.text))
	}
	zero := bottom
	if p.y.low < 0 && p.y.high > 0 {
		zero = p.y.at(0)
	}
	fmt.Fprintf(b, `<line class="notch" x1="%g" x2="%g" y1="%g" y2="%g" stroke="%s"/>`,
		left, right, zero, zero, softInk)
}
