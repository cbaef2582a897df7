package report

import (
	"github.com/bfpo-go/bfpo/bfpo/track"
)

import "math"

// point is one value of a curve: the optimizer step and the number.
type point struct{ x, y float64 }

// pointsOf are the values of a name over the records that have it.
func pointsOf(records []track.Record, name string) []point {
	var points []point
	for _, r := range records {
		if y, ok := r.Get(name); ok && !math.IsNaN(y) && !math.IsInf(y, 0) {
			points = append(points, point{float64(r.Step), y})
		}
	}
	return points
}

// smooth is the mean over a sliding window of 2*half+1 points, cut short at the ends.
func smooth(points []point, half int) []point {
	out := make([]point, len(points))
	sums := make([]float64, len(points)+1)
	for i, p := range points {
		sums[i+1] = sums[i] + p.y
	}
	for i, p := range points {
		from, to := max(i-half, 0), min(i+half+1, len(points))
		out[i] = point{p.x, (sums[to] - sums[from]) / float64(to-from)}
	}
	return out
}

// thin keeps at most 2*buckets points: the lowest and the highest of each bucket, so that a spike stays visible.
func thin(points []point, buckets int) []point {
	if len(points) <= 2*buckets {
		return points
	}
	var out []point
	for b := range buckets {
		part := points[b*len(points)/buckets : (b+1)*len(points)/buckets]
		low, high := 0, 0
		for i, p := range part {
			if p.y < part[low].y {
				low = i
			}
			if p.y > part[high].y {
				high = i
			}
		}
		out = append(out, part[min(low, high)])
		if low != high {
			out = append(out, part[max(low, high)])
		}
	}
	return out
}

// NiceStep is the size of the ticks, 1, 2, 2.5 or 5 times a power of ten, that cuts a span into about n parts.
func NiceStep(span float64, n int) float64 {
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= raw*0.9999 {
			return f * power
		}
	}
	return 10 * power
}
