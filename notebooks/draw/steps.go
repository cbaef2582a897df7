package draw

import (
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// Steps returns a chart of metrics over the optimizer steps, named as in metrics.jsonl. Targets are dashed. A metric
// that no record has is left out.
func Steps(title, y string, records []track.Record, names ...string) Chart {
	c := Chart{Title: title, X: "optimizer step", Y: y}
	for _, name := range names {
		s := Series{Name: name}
		if strings.HasSuffix(name, "/target") {
			s.Mark = Dash
		}
		if s.X, s.Y = values(records, name); len(s.X) > 0 {
			c.Series = append(c.Series, s)
		}
	}
	return c
}

// values returns the steps at which a metric was recorded, and its values there.
func values(records []track.Record, name string) (steps, ys []float64) {
	for _, r := range records {
		if y, ok := r.Get(name); ok {
			steps, ys = append(steps, float64(r.Step)), append(ys, y)
		}
	}
	return steps, ys
}

// Band returns the mean of a metric over a sliding window of 2*half+1 steps, which is shorter at the ends, and a band
// of two standard errors of that mean to either side. The steps use different rows, so the spread of their values
// estimates the error of the mean.
func Band(title string, records []track.Record, name string, half int) Series {
	s := Series{Name: title}
	steps, ys := values(records, name)
	for i := range steps {
		e := report.NewEstimate(ys[max(i-half, 0):min(i+half+1, len(ys))])
		if e.N < 2 {
			e.StdErr = math.NaN()
		}
		s.X, s.Y = append(s.X, steps[i]), append(s.Y, e.Mean)
		s.Low, s.High = append(s.Low, e.Mean-2*e.StdErr), append(s.High, e.Mean+2*e.StdErr)
	}
	return s
}
