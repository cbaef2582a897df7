package draw

import (
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
)

// Steps is a chart of quantities over the optimizer steps, each under its name in metrics.jsonl. Targets are dashed.
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

// values are the steps that have a quantity, and what it is there.
func values(records []track.Record, name string) (steps, ys []float64) {
	for _, r := range records {
		if y, ok := r.Get(name); ok {
			steps, ys = append(steps, float64(r.Step)), append(ys, y)
		}
	}
	return steps, ys
}

// Band is a quantity's mean over a sliding window of 2*half+1 steps, cut short at the ends, and two standard errors of that mean to either
// side: the steps saw different rows, so their spread says how sure the mean is.
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
