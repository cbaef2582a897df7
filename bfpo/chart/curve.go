package chart

// Point is one value of a curve.
type Point struct{ X, Y float64 }

// Coordinates returns the coordinates of points as two slices, for a Series.
func Coordinates(points []Point) (xs, ys []float64) {
	for _, p := range points {
		xs, ys = append(xs, p.X), append(ys, p.Y)
	}
	return xs, ys
}

// Smooth returns the mean over a sliding window of 2*half+1 points, which is shorter at the ends.
func Smooth(points []Point, half int) []Point {
	out := make([]Point, len(points))
	sums := make([]float64, len(points)+1)
	for i, p := range points {
		sums[i+1] = sums[i] + p.Y
	}
	for i, p := range points {
		from, to := max(i-half, 0), min(i+half+1, len(points))
		out[i] = Point{p.X, (sums[to] - sums[from]) / float64(to-from)}
	}
	return out
}

// Thin keeps at most 2*buckets points: the lowest and the highest of each bucket, so that a spike stays visible.
func Thin(points []Point, buckets int) []Point {
	if len(points) <= 2*buckets {
		return points
	}
	var out []Point
	for b := range buckets {
		part := points[b*len(points)/buckets : (b+1)*len(points)/buckets]
		low, high := 0, 0
		for i, p := range part {
			if p.Y < part[low].Y {
				low = i
			}
			if p.Y > part[high].Y {
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
