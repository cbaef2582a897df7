package chart

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf8"
)

// The size of a label's text in pixels: the mean width of a letter, and the height of a line.
const letterWidth, lineHeight = 5.9, 13.0

// label is a text beside a point.
type label struct {
	text         string
	x, y         float64 // the point
	textX, textY float64 // the text; place sets it
	anchor       string  // which end of the text is at textX: start or end
	occupied     []box   // what the point and its error bars cover
	preferLeft   bool
}

// box is a rectangle of the drawing.
type box struct{ x0, x1, y0, y1 float64 }

// overlaps reports whether two boxes have a common point.
func (b box) overlaps(other box) bool {
	return b.x0 < other.x1 && b.x1 > other.x0 && b.y0 < other.y1 && b.y1 > other.y0
}

// labels places and writes the labels of all dots.
func (p plane) labels(b *strings.Builder, series []Series) {
	var all []label
	for _, s := range series {
		for i, text := range s.Labels {
			if s.Mark == Dots && isFinite(s.X[i]) && isFinite(s.Y[i]) {
				all = append(all, p.newLabel(s, i, text))
			}
		}
	}
	p.place(all)
	for _, l := range all {
		fmt.Fprintf(b, `<text class="name" x="%g" y="%g" text-anchor="%s" fill="%s">%s</text>`,
			tenth(l.textX), tenth(l.textY), l.anchor, ink, html.EscapeString(l.text))
	}
}

// newLabel returns the label of point i, not placed yet.
func (p plane) newLabel(s Series, i int, text string) label {
	x, y := p.x.at(s.X[i]), p.y.at(s.Y[i])
	l := label{text: text, x: x, y: y, preferLeft: x > (p.x.from+p.x.to)/2}
	l.occupied = []box{{x - 5, x + 5, y - 5, y + 5}}
	if len(s.Left) > 0 {
		l.occupied = append(l.occupied, box{p.x.at(s.Left[i]), p.x.at(s.Right[i]), y - 2, y + 2})
	}
	if len(s.Low) > 0 {
		l.occupied = append(l.occupied, box{x - 2, x + 2, p.y.at(s.High[i]), p.y.at(s.Low[i])})
	}
	return l
}

// place puts the labels beside their points, from top to bottom, so that they overlap neither each other nor a point. A
// label for which no candidate is free gets the first one.
func (p plane) place(all []label) {
	var taken []box
	order := make([]int, len(all))
	for i, l := range all {
		order[i] = i
		taken = append(taken, l.occupied...)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(all[a].y, all[b].y) })
	for _, i := range order {
		l := &all[i]
		candidates := l.candidates()
		best := candidates[0]
		for _, at := range candidates {
			inside := at.x0 >= 4 && at.x1 <= p.size.Width-4 && at.y0 > p.size.Top-8 &&
				at.y1 < p.size.Height-p.size.Bottom
			if inside && !slices.ContainsFunc(taken, at.overlaps) {
				best = at
				break
			}
		}
		taken = append(taken, best)
		l.textY, l.textX, l.anchor = best.y1-3, best.x0, "start"
		if best.x1 <= l.x {
			l.textX, l.anchor = best.x1, "end"
		}
	}
}

// candidates returns the boxes where the label may stand, the best first.
func (l label) candidates() (boxes []box) {
	length := letterWidth * float64(utf8.RuneCountInString(l.text))
	up, down := -4.0, 17.0
	for _, dy := range []float64{
		up, down, up - lineHeight, down + lineHeight, up - 2*lineHeight, down + 2*lineHeight, up - 3*lineHeight,
	} {
		after := box{l.x + 7, l.x + 7 + length, l.y + dy - lineHeight, l.y + dy}
		before := box{l.x - 7 - length, l.x - 7, l.y + dy - lineHeight, l.y + dy}
		if l.preferLeft {
			after, before = before, after
		}
		boxes = append(boxes, after, before)
	}
	return boxes
}
