package metric

import (
	"math"
	"testing"
)

// Each case is worked out by hand.
func TestScoreChoices(t *testing.T) {
	gold, choices := 1, []string{"yes", "äöüßé", "no"}
	for _, c := range []struct {
		kind   string
		labels []int
		ll     []float64
		want   float64
	}{
		{"acc", nil, []float64{-3, -2, -4}, 1},
		{"acc", nil, []float64{-2, -2, -4}, 0},        // the first of two equal ones
		{"acc_norm", nil, []float64{-3.1, -5, -2}, 1}, // -1.03, -1, -1: the first of equal ones
		{"acc_norm", nil, []float64{-3, -5, -4}, 0},   // -1, -1, -2
		{"true_mass", []int{0, 1, 1}, []float64{-1, -1, -1}, 2. / 3},
		{"true_mass", []int{1, 0, 0}, []float64{math.Log(.2), math.Log(.1), math.Log(.1)}, .5},
		{"true_mass", []int{1, 0, 0}, []float64{-9000, -9000, -9999}, .5}, // exp(ll) underflows
		{"likelihood_diff", nil, []float64{-3, -5.5}, 2.5},
		{"pct_stereotype", nil, []float64{-3, -5.5}, 1},
		{"pct_stereotype", nil, []float64{-3, -3}, 0},
	} {
		if got := ScoreChoices(c.kind, choices, gold, c.labels, c.ll); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s of %v is %g, want %g", c.kind, c.ll, got, c.want)
		}
	}
}
