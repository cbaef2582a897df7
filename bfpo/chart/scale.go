package chart

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TickStep returns the distance of ticks that divides a span into about n parts: 1, 2, 2.5 or 5 times a power of ten.
func TickStep(span float64, n int) float64 {
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= raw*0.9999 {
			return f * power
		}
	}
	return 10 * power
}

// TickText writes the number of a tick with as many digits as its step needs: very small and very large numbers with an
// exponent (5e−6), thousands as 12k. largest is the largest absolute value on the axis.
func TickText(y, step, largest float64) string {
	y = math.Round(y/step*2) / 2 * step
	switch {
	case math.Abs(y) < step/4:
		return "0"
	case largest < 1e-2 || largest >= 1e6:
		text := strconv.FormatFloat(y, 'e', 3, 64)
		mantissa, exponent, _ := strings.Cut(text, "e")
		number, _ := strconv.Atoi(exponent)
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		return strings.ReplaceAll(fmt.Sprintf("%se%d", mantissa, number), "-", "−")
	case largest >= 1e4 && step >= 100:
		return strings.ReplaceAll(strconv.FormatFloat(y/1000, 'f', -1, 64)+"k", "-", "−")
	}
	decimals := 0
	for s := step; decimals < 5 && math.Abs(s-math.Round(s)) > 1e-6*s; s *= 10 {
		decimals++
	}
	return strings.ReplaceAll(strconv.FormatFloat(y, 'f', decimals, 64), "-", "−")
}

// scale maps the numbers from low to high to pixels. step is the distance of ticks.
type scale struct {
	low, high, step float64
	from, to        float64 // the pixels of low and high
}

// at returns the pixel of a number. A number beyond the axis gets its end.
func (s scale) at(v float64) float64 {
	v = min(max(v, s.low), s.high)
	return tenth(s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from))
}

// tick is a labelled point on an axis.
type tick struct {
	at   float64 // in pixels
	text string
}

// ticks returns the multiples of the step on the axis.
func (s scale) ticks() (ticks []tick) {
	first, last := math.Ceil(s.low/s.step-1e-9), math.Floor(s.high/s.step+1e-6)
	for i := range max(0, int(last-first)+1) {
		v := (first + float64(i)) * s.step
		ticks = append(ticks, tick{s.at(v), TickText(v, s.step, max(math.Abs(s.low), math.Abs(s.high)))})
	}
	return ticks
}

// roundOut widens an axis to whole steps.
func (s scale) roundOut() scale {
	s.low, s.high = math.Floor(s.low/s.step+1e-9)*s.step, math.Ceil(s.high/s.step-1e-9)*s.step
	return s
}

// valueScale returns the vertical axis for values from low to high. It begins at zero if that costs little space.
func valueScale(low, high float64) scale {
	switch {
	case low > high: // no values
		low, high = 0, 1
	case low > 0 && low < 0.6*high:
		low = 0
	case low == high && low == 0:
		high = 1
	case low == high:
		low, high = low-0.1*math.Abs(low), high+0.1*math.Abs(high)
	}
	return scale{low: low, high: high, step: TickStep(high-low, 4)}.roundOut()
}

// stepScale returns the horizontal axis for data from low to high. Whole numbers get whole ticks.
func stepScale(low, high float64, whole bool) scale {
	low, high = widen(low, high)
	step := TickStep(high-low, 5)
	if whole {
		if step = max(step, 1); step == 2.5 {
			step = 5
		}
	}
	return scale{low: low, high: high, step: step}
}

// scatterScale returns an axis with space around the points from low to high, over a range of at least least.
func scatterScale(low, high, least float64) scale {
	if spare := (least - (high - low)) / 2; spare > 0 {
		low, high = low-spare, high+spare
	}
	low, high = widen(low, high)
	pad := 0.08 * (high - low)
	low, high = low-pad, high+pad
	s := scale{low: low, high: high, step: TickStep(high-low, 5)}
	s.low, s.high = math.Floor(low/s.step)*s.step, math.Ceil(high/s.step)*s.step
	return s
}

// widen returns a range that is not empty.
func widen(low, high float64) (float64, float64) {
	switch {
	case low > high:
		return 0, 1
	case low == high:
		return low - max(0.1*math.Abs(low), 1), high + max(0.1*math.Abs(high), 1)
	}
	return low, high
}

// isFinite reports whether a number is neither NaN nor infinite.
func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// finite returns the finite ones of some numbers.
func finite(xs []float64) []float64 {
	return slices.DeleteFunc(slices.Clone(xs), func(x float64) bool { return !isFinite(x) })
}

// tenth rounds to one decimal, which is enough for a pixel.
func tenth(x float64) float64 { return math.Round(10*x) / 10 }
