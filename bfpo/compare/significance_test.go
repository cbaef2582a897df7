package compare

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

// By hand: of 8 documents where two models differ 1 speaks for the first, so p = 2 * (1 + 8) / 2^8.
func TestSignTest(t *testing.T) {
	p, _ := significance([]float64{1, 1, 1, 1, 1, 1, 1, -1, 0, 0, 0})
	near(t, "7 against 1", p, 18.0/256)
	p, _ = significance([]float64{0, 0, 0})
	near(t, "no difference", p, 1)
	p, _ = significance([]float64{1, -1})
	near(t, "1 against 1", p, 1)
}

// The t-test by its closed forms: with 1 degree of freedom p = 1 - 2/pi * atan t, with 2 degrees p = 1 - t / sqrt(2
// + t^2).
func TestTTest(t *testing.T) {
	p, _ := significance([]float64{0.5, 1.5}) // t = 1 / 0.5 = 2
	near(t, "1 degree", p, 1-2/math.Pi*math.Atan(2))
	p, _ = significance([]float64{0.25, 0.5, 0.75}) // s = 0.25, t = 0.5 / (0.25 / sqrt 3) = 2 sqrt 3
	near(t, "2 degrees", p, 1-math.Sqrt(12)/math.Sqrt(14))
	p, _ = significance([]float64{0.1, 0.2, 0.3, 0.4, 0.5}) // t = 0.3 / (0.5 / sqrt 10 / sqrt 5) = 3 sqrt 2; p = 1 - t (t^2 + 6) / (t^2 + 4)^1.5
	near(t, "4 degrees", p, 1-3*math.Sqrt2*24/math.Pow(22, 1.5))
	p, _ = significance([]float64{-0.4, 0.3, 0.2, -0.1, 0.1}) // t^2 = 0.02^2 * 5 / 0.077
	t2 := 0.002 / 0.077
	near(t, "4 degrees, small t", p, 1-math.Sqrt(t2)*(t2+6)/math.Pow(t2+4, 1.5))
	if p, _ := significance([]float64{0.5, 0.5}); p != 0 {
		t.Errorf("the same difference everywhere: %v", p)
	}
	if _, ok := significance([]float64{0.5}); ok {
		t.Error("one document tells")
	}
}
