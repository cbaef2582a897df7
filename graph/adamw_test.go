package graph_test

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// Two steps computed by hand from p = 1 with lr = 0.1, beta1 = 0.5, beta2 = 0.75, eps = 1, decay = 1 and gradients 2,
// -4:
//
//	t = 1: p = 0.9; m = 1, v = 1; c1 = 0.5, c2 = 0.25: p -= 0.2 * 1/(1/0.5 + 1) = 1/15: p = 5/6
//	t = 2: p = 0.75; m = 0.5-2 = -1.5, v = 0.75+4 = 4.75; c1 = 0.75, c2 = 0.4375:
//	       p += 0.1/0.75 * 1.5/(sqrt(4.75/0.4375) + 1)
func TestAdamW(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		adam := graph.AdamW{Beta1: 0.5, Beta2: 0.75, Epsilon: 1, WeightDecay: 1}
		step := func(in []*Node) []*Node {
			rates := graph.Rates{LearningRate: in[4], Correction1: in[5], Correction2: in[6]}
			p, m, v := adam.Update(in[0], in[1], in[2], in[3], rates)
			return []*Node{p, m, v}
		}
		s := call(t, d, step, []float32{1}, []float32{0}, []float32{0}, []float32{2},
			float32(0.1), float32(0.5), float32(0.25))
		near(t, "p", graphtest.Floats(t, s[0]), []float32{5. / 6}, 1e-7)
		near(t, "m", graphtest.Floats(t, s[1]), []float32{1}, 0)
		near(t, "v", graphtest.Floats(t, s[2]), []float32{1}, 0)
		s = call(t, d, step, s[0], s[1], s[2], []float32{-4}, float32(0.1), float32(0.75), float32(0.4375))
		near(t, "p", graphtest.Floats(t, s[0]), []float32{float32(0.75 + 0.2/(math.Sqrt(4.75/0.4375)+1))}, 1e-7)
		near(t, "m", graphtest.Floats(t, s[1]), []float32{-1.5}, 0)
		near(t, "v", graphtest.Floats(t, s[2]), []float32{4.75}, 0)
	})
}

func TestClip(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			norm := graph.GlobalNorm(in) // sqrt(9 + 16 + 144)
			return []*Node{norm, graph.ClipScale(norm, 6.5), graph.ClipScale(norm, 20)}
		}, []float32{3, 4}, [][]float32{{12}, {0}})
		near(t, "norm", graphtest.Floats(t, got[0]), []float32{13}, 0)
		near(t, "scale", graphtest.Floats(t, got[1]), []float32{0.5}, 1e-7)
		near(t, "scale of a short gradient", graphtest.Floats(t, got[2]), []float32{1}, 0)
	})
}
