package graph_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// near fails the test unless got and want differ by at most tol in every element.
func near(t *testing.T, what string, got, want []float32, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if diff := math.Abs(float64(got[i]) - float64(want[i])); !(diff <= tol) {
			t.Fatalf("%s[%d] = %g, want %g (off by %.3g, tolerance %.3g)", what, i, got[i], want[i], diff, tol)
		}
	}
}

func TestRMSNorm(t *testing.T) {
	// Row 1: mean(x^2) = (9+16)/2 = 12.5, with eps 3.5 the root is 4. Row 2: mean(x^2) = 0.5, the root is 2.
	x, weight := [][]float32{{3, 4}, {1, 0}}, []float32{2, -1}
	want := []float32{1.5, -1, 1, 0}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			half := graph.RMSNorm(ConvertDType(in[0], dtypes.BFloat16), in[1], 3.5)
			half.AssertDims(2, 2)
			if half.DType() != dtypes.BFloat16 {
				t.Errorf("dtype %s, want bfloat16 as x has", half.DType())
			}
			return []*Node{graph.RMSNorm(in[0], in[1], 3.5), ConvertDType(half, dtypes.Float32)}
		}, x, weight)
		near(t, "f32", graphtest.Floats(t, got[0]), want, 1e-6)
		near(t, "bf16", graphtest.Floats(t, got[1]), want, 0) // the numbers above are exact in bfloat16
	})
}

// The gradient of L = y_1 for x = (3, 4), w = (2, -1), eps = 3.5: r = 4, y_1 = 2*3/r,
// dL/dx_1 = 2/r - 2*3*x_1/(2*r^3) = 0.5 - 18/128, dL/dx_2 = -2*3*x_2/(2*r^3) = -24/128, dL/dw_1 = 3/4.
func TestRMSNormGradient(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			y := graph.RMSNorm(in[0], in[1], 3.5)
			return Gradient(ReduceAllSum(SliceAxis(y, -1, AxisElem(0))), in[0], in[1])
		}, [][]float32{{3, 4}}, []float32{2, -1})
		near(t, "dx", graphtest.Floats(t, got[0]), []float32{0.359375, -0.1875}, 1e-6)
		near(t, "dw", graphtest.Floats(t, got[1]), []float32{0.75, 0}, 1e-6)
	})
}
