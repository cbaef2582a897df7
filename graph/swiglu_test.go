package graph_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// computeSwiGLU returns silu(gate) up computed in dtype, and the adjoints of gate and up given the adjoint dy, all
// converted to float32.
func computeSwiGLU(t *testing.T, d *device.Device, dtype dtypes.DType, gate, up, dy any) (y, dgate, dup []float32) {
	t.Helper()
	got := call(t, d, func(in []*Node) []*Node {
		g, u := ConvertDType(in[0], dtype), ConvertDType(in[1], dtype)
		y := graph.SwiGLU(g, u)
		adjoints := Gradient(ReduceAllSum(Mul(ConvertDType(y, dtypes.Float32), in[2])), in[0], in[1])
		return append([]*Node{ConvertDType(y, dtypes.Float32)}, adjoints...)
	}, gate, up, dy)
	return graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1]), graphtest.Floats(t, got[2])
}

// For e^-x = 1/3 the sigmoid is 3/4. Far above zero silu(x) is x with slope 1, far below both are 0.
func TestSwiGLUByHand(t *testing.T) {
	x := float32(math.Log(3))
	gate, up, dy := []float32{0, x, 1000, -1000}, []float32{3, 2, 5, 7}, []float32{2, 1, 1, 1}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		y, dgate, dup := computeSwiGLU(t, d, dtypes.Float32, gate, up, dy)
		near(t, "y", y, []float32{0, 1.5 * x, 5000, 0}, 1e-6)
		near(t, "dgate", dgate, []float32{3, 1.5 * (1 + x/4), 5, 0}, 1e-6)
		near(t, "dup", dup, []float32{0, 0.75 * x, 1000, 0}, 1e-6)
	})
}

// In bfloat16, where a kernel may compute the gradient, results are the float32 results, rounded. The sizes fill the
// kernel's tasks or not.
func TestSwiGLUHalfPrecision(t *testing.T) {
	d := graphtest.XLA(t)
	for _, n := range []int{1, 37, 1 << 15, 3<<15 + 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var in []any
			for i := range 3 {
				x := roundToBF16(graphtest.Floats(t, graphtest.Random(int64(i+1), n)))
				for k := range x {
					x[k] *= 4
				}
				in = append(in, tensors.FromFlatDataAndDimensions(x, n))
			}
			y, dgate, dup := computeSwiGLU(t, d, dtypes.BFloat16, in[0], in[1], in[2])
			y32, dgate32, dup32 := computeSwiGLU(t, d, dtypes.Float32, in[0], in[1], in[2])
			for name, pair := range map[string][2][]float32{
				"y": {y, y32}, "dgate": {dgate, dgate32}, "dup": {dup, dup32},
			} {
				for i, want := range pair[1] {
					if got := pair[0][i]; math.Abs(float64(got-want)) > math.Abs(float64(want))/250 {
						t.Fatalf("%s[%d] = %g, in float32 %g", name, i, got, want)
					}
				}
			}
		})
	}
}

// A NaN makes only the results of its own element NaN.
func TestSwiGLUNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		_, dgate, dup := computeSwiGLU(t, graphtest.XLA(t), dtype,
			[]float32{nan, 1, 1, 1}, []float32{1, nan, 1, 1}, []float32{1, 1, nan, 1})
		for i, isNaN := range []bool{true, true, true, false} {
			if math.IsNaN(float64(dgate[i])) != isNaN || math.IsNaN(float64(dup[i])) != (isNaN && i != 1) {
				t.Errorf("%s, element %d: dgate = %g, dup = %g", dtype, i, dgate[i], dup[i])
			}
		}
	}
}
