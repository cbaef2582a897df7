package metric

import (
	"math"
	"testing"
)

func TestMeanStdErr(t *testing.T) {
	mean, stderr := MeanStdErr([]float64{1, 0, 0, 1}) // squares 4 * 0.25, over 3, over 4
	if mean != .5 || math.Abs(stderr-math.Sqrt(1./12)) > 1e-15 {
		t.Errorf("%g ± %g", mean, stderr)
	}
	if mean, stderr := MeanStdErr([]float64{3}); mean != 3 || !math.IsNaN(stderr) {
		t.Errorf("%g ± %g of one value", mean, stderr)
	}
}
