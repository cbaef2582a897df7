package graph_test

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

func TestLinear(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			y := graph.Linear(in[0], in[1])
			y.AssertDims(1, 2, 3)
			return append(Gradient(ReduceAllSum(Mul(y, in[2])), in[0], in[1]), y)
		}, [][][]float32{{{1, 2}, {3, 4}}}, [][]float32{{1, 0}, {0, 1}, {1, -1}}, [][][]float32{{{1, 0, 0}, {0, 1, 2}}})
		near(t, "y", graphtest.Floats(t, got[2]), []float32{1, 2, -1, 3, 4, -1}, 0)
		near(t, "dx = dy w", graphtest.Floats(t, got[0]), []float32{1, 0, 2, -1}, 0)
		near(t, "dw = dy^T x", graphtest.Floats(t, got[1]), []float32{1, 2, 3, 4, 6, 8}, 0)
	})
}

// A single row in bfloat16 is multiplied as two rows; the results are the same. All values are exact in bfloat16.
func TestLinearSingleRow(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			half := func(x *Node) *Node { return ConvertDType(x, dtypes.BFloat16) }
			y := graph.Linear(half(in[0]), half(in[1]))
			y.AssertDims(1, 1, 3)
			y = ConvertDType(y, dtypes.Float32)
			return append(Gradient(ReduceAllSum(Mul(y, in[2])), in[0], in[1]), y)
		}, [][][]float32{{{1, 2}}}, [][]float32{{1, 0}, {0, 1}, {1, -1}}, [][][]float32{{{1, 0, 2}}})
		near(t, "y", graphtest.Floats(t, got[2]), []float32{1, 2, -1}, 0)
		near(t, "dx = dy w", graphtest.Floats(t, got[0]), []float32{3, -2}, 0)
		near(t, "dw = dy^T x", graphtest.Floats(t, got[1]), []float32{1, 2, 0, 0, 2, 4}, 0)
	})
}

// In bfloat16 the gradients of two stacked layers differ from the float32 gradients by rounding only, also when the
// backward pass recomputes the first layer.
func TestLinearHalfPrecision(t *testing.T) {
	layers := func(dtype dtypes.DType, remat bool) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			first := func(in []*Node) *Node {
				return graph.Linear(Tanh(ConvertDType(in[0], dtype)), ConvertDType(in[1], dtype))
			}
			y := first(in[:2])
			if remat {
				y = graph.Remat(first, in[:2]...)
			}
			y = ConvertDType(graph.Linear(y, ConvertDType(in[2], dtype)), dtypes.Float32)
			return append(Gradient(ReduceAllSum(Square(y)), in...), y)
		}
	}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		x, w1, w2 := graphtest.Random(1, 2, 8, 64), graphtest.Random(2, 96, 64), graphtest.Random(3, 32, 96)
		want := call(t, d, layers(dtypes.Float32, false), x, w1, w2)
		for _, remat := range []bool{false, true} {
			got := call(t, d, layers(dtypes.BFloat16, remat), x, w1, w2)
			for i, what := range []string{"dx", "dw1", "dw2", "y"} {
				r := graphtest.RelativeError(graphtest.Floats(t, got[i]), graphtest.Floats(t, want[i]))
				if !(r < 0.01) || r == 0 {
					t.Errorf("remat %v: %s has relative error %.2g, want the rounding of bfloat16 (2^-8 = 0.0039)",
						remat, what, r)
				}
			}
		}
	})
}

// The sum of 4096 bfloat16 ones is exact; accumulated in bfloat16, it would stop at 256.
func TestLinearAccumulatesInFloat32(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			one := ConvertDType(in[0], dtypes.BFloat16)
			y := graph.Linear(BroadcastToDims(one, 3, 4096), BroadcastToDims(one, 5, 4096))
			return []*Node{ConvertDType(y, dtypes.Float32)}
		}, [][]float32{{1}})
		for _, v := range graphtest.Floats(t, got[0]) {
			if v != 4096 {
				t.Errorf("sum of 4096 ones is %g", v)
			}
		}
	})
}
