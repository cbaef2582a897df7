package compare

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/bfpo"
)

// Size of the chart and of its margins, in the units of its viewBox.
const (
	width, height            = 460.0, 320.0
	left, right, top, bottom = 54.0, 16.0, 22.0, 46.0
	letter, line             = 5.9, 13.0 // of a label
)

// scatter is the chart of safety against helpfulness, ready to draw.
type scatter struct {
	Width, Height, Left, Right, Top, Bottom float64 // of the drawing and of its frame
	XTitle, YTitle, Summary                 string
	XTicks, YTicks                          []tick
	Points                                  []scatterPoint
}

type tick struct {
	At   float64
	Text string
}

// scatterPoint is a model with one standard error either way.
type scatterPoint struct {
	Name, Class        string
	X, Y               float64
	X0, X1, Y0, Y1     float64
	LabelX, LabelY     float64
	Anchor, Horizontal string // where the label's text is held, and the values in words
}

// newScatter draws the axes; ok is false where one of them has no task.
func newScatter(c Comparison) (s scatter, ok bool) {
	x, y := c.Axes[0].Scores, c.Axes[1].Scores
	if len(x) == 0 || len(y) == 0 {
		return s, false
	}
	s = scatter{Width: width, Height: height, Left: left, Right: width - right, Top: top, Bottom: height - bottom,
		XTitle: c.Axes[0].Name, YTitle: c.Axes[1].Name}
	horizontal, vertical := newScale(x, left, width-right), newScale(y, height-bottom, top)
	s.XTicks, s.YTicks = horizontal.ticks(), vertical.ticks()
	for i, m := range c.Models {
		s.Points = append(s.Points, scatterPoint{
			Name: m.Name, Class: colorOf(i),
			X: horizontal.at(x[i].Value), X0: horizontal.at(x[i].Value - x[i].Error), X1: horizontal.at(x[i].Value + x[i].Error),
			Y: vertical.at(y[i].Value), Y0: vertical.at(y[i].Value - y[i].Error), Y1: vertical.at(y[i].Value + y[i].Error),
			Horizontal: fmt.Sprintf("%s: helpfulness %s, safety %s", m.Name, withError(x[i].Value, x[i].Error, 3, false), withError(y[i].Value, y[i].Error, 3, false)),
		})
		s.Summary += s.Points[i].Horizontal + ". "
	}
	s.label()
	return s, true
}

// colorOf is the class of a model's color; there are five.
func colorOf(i int) string { return "c" + strconv.Itoa(i%5+1) }

// box is a part of the drawing that a label must not cover.
type box struct{ x0, x1, y0, y1 float64 }

func (b box) meets(other box) bool {
	return b.x0 < other.x1 && b.x1 > other.x0 && b.y0 < other.y1 && b.y1 > other.y0
}

// label puts the names beside the points, where they cover neither each other nor a point; where there is no such
// place, above.
func (s *scatter) label() {
	var taken []box
	order := make([]int, len(s.Points))
	for i, p := range s.Points {
		order[i] = i
		taken = append(taken, box{p.X0, p.X1, p.Y - 2, p.Y + 2}, box{p.X - 2, p.X + 2, p.Y1, p.Y0}, box{p.X - 5, p.X + 5, p.Y - 5, p.Y + 5})
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.Points[a].Y, s.Points[b].Y) })
	for _, i := range order {
		p := &s.Points[i]
		length := letter * float64(utf8.RuneCountInString(p.Name))
		places := p.places(length, p.X > (s.Left+s.Right)/2)
		best := places[0]
		for _, at := range places {
			inside := at.x0 >= 4 && at.x1 <= s.Width-4 && at.y0 > s.Top-8 && at.y1 < s.Bottom
			if inside && !slices.ContainsFunc(taken, at.meets) {
				best = at
				break
			}
		}
		taken = append(taken, best)
		p.LabelY, p.LabelX, p.Anchor = best.y1-3, best.x0, "start"
		if best.x1 <= p.X {
			p.LabelX, p.Anchor = best.x1, "end"
		}
	}
}

// places are where the name of a point may stand, the best first.
func (p scatterPoint) places(length float64, leftFirst bool) (places []box) {
	for _, dy := range []float64{-4, 17, -4 - line, 17 + line, -4 - 2*line, 17 + 2*line, -4 - 3*line} {
		after := box{p.X + 7, p.X + 7 + length, p.Y + dy - line, p.Y + dy}
		before := box{p.X - 7 - length, p.X - 7, p.Y + dy - line, p.Y + dy}
		if leftFirst {
			places = append(places, before, after)
		} else {
			places = append(places, after, before)
		}
	}
	return places
}

// scale maps values to the drawing.
type scale struct{ low, high, step, from, to float64 }

// newScale spans the scores with their errors, not less than 0.02 in all.
func newScale(scores []Cell, from, to float64) scale {
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range scores {
		low, high = min(low, c.Value-c.Error), max(high, c.Value+c.Error)
	}
	if spare := (0.02 - (high - low)) / 2; spare > 0 {
		low, high = low-spare, high+spare
	}
	pad := 0.08 * (high - low)
	step := bfpo.NiceStep(high-low+2*pad, 5)
	return scale{math.Floor((low-pad)/step) * step, math.Ceil((high+pad)/step) * step, step, from, to}
}

func (s scale) at(x float64) float64 {
	return math.Round(10*(s.from+(x-s.low)/(s.high-s.low)*(s.to-s.from))) / 10
}

func (s scale) ticks() (ticks []tick) {
	for i := range int(math.Round((s.high-s.low)/s.step)) + 1 {
		x := s.low + float64(i)*s.step
		ticks = append(ticks, tick{s.at(x), bfpo.TickText(x, s.step, 1)})
	}
	return ticks
}
