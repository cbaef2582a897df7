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

func TestRotaryFrequencies(t *testing.T) {
	// With theta = 10000 and hd = 8: 10000^(-i/4) for i = 0..3.
	freqs := graph.RotaryFrequencies(8, 10000)
	for name, c := range map[string]struct{ got, want []float64 }{
		"plain":  {freqs, []float64{1, 0.1, 0.01, 0.001}},
		"linear": {graph.LinearScaling(freqs, 4), []float64{0.25, 0.025, 0.0025, 0.00025}},
		// With original = 200 pi, frequency f makes 100 f turns: 100, 10, 1, 0.1. With low = 0.5 and high = 4, the
		// first two stay, the last is divided by 8, and the third is interpolated with s = (1-0.5)/3.5 = 1/7:
		// 0.01*(6/7/8 + 1/7) = 0.01*14/56.
		"llama3": {graph.Llama3Scaling(freqs, 8, 0.5, 4, 628), []float64{1, 0.1, 0.0025, 0.000125}},
	} {
		for i, want := range c.want {
			// 628 equals 200 pi to a relative 5e-4.
			if math.Abs(c.got[i]-want) > 1e-3*want {
				t.Errorf("%s[%d] = %g, want %g", name, i, c.got[i], want)
			}
		}
	}
}

// TestYaRNScaling has the frequencies of transformers' formula, to nine digits.
func TestYaRNScaling(t *testing.T) {
	freqs := graph.RotaryFrequencies(16, 10000)
	for _, c := range []struct{ got, want []float64 }{
		{graph.YaRNScaling(freqs, 10000, 16, 32, 1, 4096, false),
			[]float64{1, 0.316227766, 0.1, 0.0242111883, 0.0053125, 0.00093880118, 6.25e-05, 1.97642354e-05}},
		{graph.YaRNScaling(freqs, 10000, 16, 32, 1, 4096, true),
			[]float64{1, 0.316227766, 0.1, 0.0278613169, 0.0056962144, 0.000816470623, 6.25e-05, 1.97642354e-05}},
		{graph.YaRNScaling(graph.RotaryFrequencies(16, 500), 500, 4, 2, 1, 32, false), []float64{1, 0.459863298,
			0.132171408, 0.0243123118, 0.0111803399, 0.00514142797, 0.00236435402, 0.00108727964}},
	} {
		for i, want := range c.want {
			if math.Abs(c.got[i]-want) > 1e-8*want {
				t.Errorf("frequency %d is %g, want %g", i, c.got[i], want)
			}
		}
	}
}

func TestRotaryApply(t *testing.T) {
	// With hd = 4, component 0 is paired with 2, rotated by the position in radians, and 1 with 3, rotated by a
	// hundredth of it.
	positions := []int32{0, 1, 2, 255, 257, 5000, 8191}
	x := []float32{1, 2, 3, 4}
	var want []float32
	for _, p := range positions {
		s0, c0 := math.Sincos(float64(p))
		s1, c1 := math.Sincos(float64(float32(p) * float32(0.01)))
		want = append(want, float32(c0-3*s0), float32(2*c1-4*s1), float32(3*c0+s0), float32(4*c1+2*s1))
	}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			r := graph.NewRotary(in[0], graph.RotaryFrequencies(4, 10000))
			x := BroadcastToDims(Reshape(in[1], 1, 1, 1, 4), 1, len(positions), 2, 4) // two equal heads
			half := r.Apply(ConvertDType(x, dtypes.BFloat16))
			if half.DType() != dtypes.BFloat16 {
				t.Errorf("dtype %s, want bfloat16 as x has", half.DType())
			}
			head := func(y *Node, h int) *Node { return SliceAxis(ConvertDType(y, dtypes.Float32), 2, AxisElem(h)) }
			return []*Node{head(r.Apply(x), 0), head(r.Apply(x), 1), head(half, 0)}
		}, [][]int32{positions}, x)
		near(t, "head 0", graphtest.Floats(t, got[0]), want, 3e-6)
		near(t, "head 1", graphtest.Floats(t, got[1]), want, 3e-6)
		near(t, "bf16", graphtest.Floats(t, got[2]), want, 4.5/256) // one rounding to 8 bits, for values up to 4.5
	})
}

// Far into a long text the tables are as exact as float32 angles allow. At position p and frequency f, both f and p f
// are rounded, so the error of cosine and sine is at most 2 p f 2^-24, plus the rounding of the result. In bfloat16
// the nearest position to 5000 is 4992, and every angle with a frequency above 0.4 would be wrong by more than three
// radians.
func TestRotaryFarPositions(t *testing.T) {
	const half = 64
	positions := []int32{5000, 32767, 131071}
	one := make([]float32, 2*half) // pairs (1, 0), which a rotation turns into (cos, sin)
	for i := range half {
		one[i] = 1
	}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		for _, theta := range []float64{1e4, 1e6} {
			freqs := graph.RotaryFrequencies(2*half, theta)
			got := graphtest.Floats(t, call(t, d, func(in []*Node) []*Node {
				x := BroadcastToDims(Reshape(in[1], 1, 1, 1, 2*half), 1, len(positions), 1, 2*half)
				return []*Node{graph.NewRotary(in[0], freqs).Apply(x)}
			}, [][]int32{positions}, one)[0])
			for row, p := range positions {
				worst := 0.0
				for i, f := range freqs {
					sin, cos := math.Sincos(float64(p) * f)
					at := row*2*half + i
					diff := max(math.Abs(float64(got[at])-cos), math.Abs(float64(got[at+half])-sin))
					worst = max(worst, diff)
					if bound := 2*float64(p)*f/(1<<24) + 1.2e-7; diff > bound {
						t.Errorf("theta %g, position %d, component %d: error %.2g, want at most %.2g",
							theta, p, i, diff, bound)
					}
				}
				t.Logf("theta %g, position %d: largest error %.2g", theta, p, worst)
			}
		}
	})
}
