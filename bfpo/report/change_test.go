package report

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-10*max(1, math.Abs(want)) {
		t.Errorf("%s: %.15g, want %.15g", what, got, want)
	}
}

// By hand: of the 8 rows on which two models differ, 1 favors the first, so p = 2 * (1 + 8) / 2^8.
func TestSignTest(t *testing.T) {
	near(t, "7 against 1", NewChange([]float64{1, 1, 1, 1, 1, 1, 1, -1, 0, 0, 0}).P, 18.0/256)
	near(t, "no difference", SignTest(0, 0), 1)
	near(t, "1 against 1", SignTest(1, 1), 1)
}

// The closed forms of the t-test: with 1 degree of freedom p = 1 - 2/pi * atan t, with 2 degrees
// p = 1 - t / sqrt(2 + t^2), with 4 degrees p = 1 - t (t^2 + 6) / (t^2 + 4)^1.5.
func TestTTest(t *testing.T) {
	near(t, "1 degree", tTest([]float64{0.5, 1.5}), 1-2/math.Pi*math.Atan(2)) // t = 1 / 0.5 = 2
	// s = 0.25, t = 0.5 / (0.25 / sqrt 3) = 2 sqrt 3
	near(t, "2 degrees", tTest([]float64{0.25, 0.5, 0.75}), 1-math.Sqrt(12)/math.Sqrt(14))
	// t = 0.3 / (0.5 / sqrt 10 / sqrt 5) = 3 sqrt 2
	near(t, "4 degrees", tTest([]float64{0.1, 0.2, 0.3, 0.4, 0.5}), 1-3*math.Sqrt2*24/math.Pow(22, 1.5))
	t2 := 0.002 / 0.077 // t^2 = 0.02^2 * 5 / 0.077
	near(t, "4 degrees, small t", tTest([]float64{-0.4, 0.3, 0.2, -0.1, 0.1}), 1-math.Sqrt(t2)*(t2+6)/math.Pow(t2+4, 1.5))
	if p := tTest([]float64{0.5, 0.5}); p != 0 {
		t.Errorf("equal differences: p = %v, want 0", p)
	}
	near(t, "no differences", tTest([]float64{0, 0}), 1)
}

// Nine rows are too few for a verdict, whatever they say, and ten are enough.
func TestVerdict(t *testing.T) {
	up := []float64{1, 2, 3, 1, 2, 3, 1, 2, 3, 1}
	noise := []float64{1, -1, 2, -2, 3, -3, 1, -1, 2, -2}
	for _, c := range []struct {
		differences []float64
		better      Direction
		want, class string
	}{
		{nil, HigherIsBetter, "", "neutral"},
		{up[:1], HigherIsBetter, "too few rows", "neutral"},
		{up[:9], HigherIsBetter, "too few rows", "neutral"},
		{up, HigherIsBetter, "↑ better", "better"},
		{up, LowerIsBetter, "↑ worse", "worse"},
		{up, NeitherIsBetter, "↑ changed", "neutral"},
		{noise, HigherIsBetter, "≈ within noise", "neutral"},
		{make([]float64, 10), HigherIsBetter, "= same", "neutral"},
		{make([]float64, 9), HigherIsBetter, "too few rows", "neutral"},
		// Five of five changes in one direction are within noise (p = 2/2^5), six of six are not (p = 2/2^6).
		{[]float64{1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, HigherIsBetter, "≈ within noise", "neutral"},
		{[]float64{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, HigherIsBetter, "↑ better", "better"},
	} {
		change := NewChange(c.differences)
		if got, class := change.SignedVerdict(c.better), change.Class(c.better); got != c.want || class != c.class {
			t.Errorf("%v, %v: %q of class %s, want %q of class %s", c.differences, c.better, got, class, c.want, c.class)
		}
	}
}

// The p-values were recorded from this package's own implementation of the tests, before it used gonum.
func TestSignificanceOfRecordedPValues(t *testing.T) {
	for _, c := range []struct {
		n     int
		whole bool
		want  float64
	}{
		{10, true, 0.4531249999999995},
		{10, false, 0.30503593052834221},
		{36, true, 1},
		{36, false, 0.95640459905310893},
		{100, true, 0.056814677932839591},
		{100, false, 0.20227529630882735},
		{1000, true, 8.0310337006212628e-06},
		{1000, false, 3.9587884533416583e-08},
		{20000, true, 2.8130931728453505e-68},
		{20000, false, 1.1952027221245681e-125},
	} {
		p := NewChange(sampleDifferences(c.n, c.whole)).P
		if math.Abs(p-c.want) > 1e-12 {
			t.Errorf("%d differences, whole %v: %.17g, want %.17g", c.n, c.whole, p, c.want)
		}
		if math.Abs(p/c.want-1) > 1e-10 { // small p-values agree to ten digits, too
			t.Errorf("%d differences, whole %v: %.17g differs from %.17g in the first ten digits", c.n, c.whole, p, c.want)
		}
	}
}

// sampleDifferences draws n differences from a linear congruential generator: -1, 0 and 1 if whole, else fractions.
func sampleDifferences(n int, whole bool) []float64 {
	out := make([]float64, n)
	state := uint32(n)
	for i := range out {
		state = state*1664525 + 1013904223
		switch {
		case !whole:
			out[i] = float64(state>>16)/65536 - 0.45
		case (state>>20)%4 == 0:
			out[i] = 1
		default:
			out[i] = float64(int(state>>16)%5/2) - 1
		}
	}
	return out
}
