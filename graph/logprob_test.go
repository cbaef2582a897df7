package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// fullLogProbs is the definition with all logits at once, for autodiff: log-softmax, then the labels' entries.
func fullLogProbs(hidden, index, labels, head *Node) (logp, mean *Node) {
	logits := Einsum("bsd,vd->bsv", hidden, head)
	logits = Reshape(logits, -1, head.Shape().Dim(0))
	logits = Gather(logits, InsertAxes(index, -1)) // [N, V]
	onehot := OneHot(labels, head.Shape().Dim(0), dtypes.Float32)
	return ReduceSum(Mul(LogSoftmax(logits), onehot), -1), ReduceMean(logits, -1)
}

func TestTokenLogProbs(t *testing.T) {
	const b, s, d, v = 2, 6, 8, 11
	index := []int32{0, 3, 3, 5, 6, 7, 11, 0, 0} // out of every row, some places twice, as padding is
	labels := []int32{0, 10, 4, 4, 7, 1, 2, 0, 0}
	weight := []float32{1, -2, 0.5, 3, 1, 1, -1, 0, 0}
	devices(t, func(t *testing.T, dev *graph.Device) {
		hidden, head := random(1, b, s, d), random(2, v, d)
		want := call(t, dev, func(in []*Node) []*Node {
			logp, mean := fullLogProbs(in[0], in[1], in[2], in[3])
			return append(Gradient(ReduceAllSum(Mul(logp, in[4])), in[0], in[3]), logp, mean)
		}, hidden, index, labels, head, weight)
		for _, frozen := range []bool{true, false} {
			for _, chunk := range []int{1, 7, 256} {
				t.Run(fmt.Sprintf("frozen=%v,chunk=%d", frozen, chunk), func(t *testing.T) {
					got := call(t, dev, func(in []*Node) []*Node {
						logp, mean := graph.TokenLogProbs(in[0], in[1], in[2], in[3], graph.HeadGradient{Hidden: true, Head: !frozen}, chunk)
						loss := ReduceAllSum(Mul(logp, in[4]))
						if frozen {
							return []*Node{Gradient(loss, in[0])[0], logp, logp, mean}
						}
						return append(Gradient(loss, in[0], in[3]), logp, mean)
					}, hidden, index, labels, head, weight)
					near(t, "dhidden", floats(t, got[0]), floats(t, want[0]), 1e-5)
					if !frozen {
						near(t, "dhead", floats(t, got[1]), floats(t, want[1]), 1e-5)
					}
					near(t, "logp", floats(t, got[2]), floats(t, want[2]), 1e-5)
					near(t, "mean", floats(t, got[3]), floats(t, want[3]), 1e-5)
				})
			}
		}
	})
}

// The head's memory, forward and backward, is a quarter at most of that of a program with all logits, where its weights are frozen and where they
// are trained: by the compiled sizes, for as many tokens as a pair of 1024 has. The gradient of trained weights, a result, does not count.
func TestTokenLogProbsMemory(t *testing.T) {
	d := xla(t)
	const tokens, width, vocabulary, chunk = 2048, 256, 32000, 256
	hidden, head := shapes.Make(dtypes.Float32, 1, tokens, width), shapes.Make(dtypes.Float32, vocabulary, width)
	places := shapes.Make(dtypes.Int32, tokens)
	for _, frozen := range []bool{true, false} {
		temp := func(score func(in []*Node) (logp, mean *Node)) int64 {
			p := graph.NewProgram(d, "head", func(in [][]*Node) [][]*Node {
				logp, _ := score(append(in[0], in[1]...))
				if frozen {
					return [][]*Node{Gradient(ReduceAllSum(logp), in[0][0])}
				}
				return [][]*Node{Gradient(ReduceAllSum(logp), in[0]...)}
			})
			defer p.Close()
			c, err := p.Compile([]shapes.Shape{hidden, head}, []shapes.Shape{places, places})
			if err != nil {
				t.Fatal(err)
			}
			return c.Temp
		}
		all := temp(func(in []*Node) (logp, mean *Node) { return fullLogProbs(in[0], in[2], in[3], in[1]) })
		ours := temp(func(in []*Node) (logp, mean *Node) {
			return graph.TokenLogProbs(in[0], in[2], in[3], in[1], graph.HeadGradient{Hidden: true, Head: !frozen}, chunk)
		})
		t.Logf("frozen %v: %d MiB of %d", frozen, ours>>20, all>>20)
		if ours > all/4 {
			t.Errorf("frozen %v: %d bytes, with all logits %d", frozen, ours, all)
		}
	}
}

// With D = 1 and h = 1 the logits are the head itself: ln 1, ln 2, ln 5 give probabilities 1/8, 2/8, 5/8.
func TestTokenLogProbsByHand(t *testing.T) {
	ln := func(x float64) float32 { return float32(math.Log(x)) }
	head := [][]float32{{ln(1)}, {ln(2)}, {ln(5)}}
	devices(t, func(t *testing.T, d *graph.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			logp, mean := graph.TokenLogProbs(in[0], in[1], in[2], in[3], graph.HeadGradient{Hidden: true}, 2)
			// dlogp_0/dh = w_0 - sum_v p_v w_v
			return []*Node{logp, mean, Gradient(Squeeze(SliceAxis(logp, 0, AxisElem(0))), in[0])[0]}
		}, [][][]float32{{{1}}}, []int32{0, 0, 0}, []int32{0, 1, 2}, head)
		near(t, "logp", floats(t, got[0]), []float32{ln(1. / 8), ln(2. / 8), ln(5. / 8)}, 1e-6)
		near(t, "mean", floats(t, got[1]), []float32{ln(10) / 3, ln(10) / 3, ln(10) / 3}, 1e-6)
		near(t, "dh", floats(t, got[2]), []float32{-(2*ln(2) + 5*ln(5)) / 8}, 1e-6)
	})
}

func TestGreedyLogProbs(t *testing.T) {
	// One hidden unit: logits are the head's numbers. 3 stands twice, the first of the two is the greedy token.
	head := [][]float32{{1}, {3}, {-2}, {3}}
	devices(t, func(t *testing.T, d *graph.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			logp, greedy := graph.GreedyLogProbs(graph.PickRows(in[0], in[1]), in[2], in[3])
			want, _ := graph.TokenLogProbs(in[0], in[1], in[2], in[3], graph.HeadGradient{Head: true}, 3)
			return []*Node{ConvertDType(greedy, dtypes.Float32), Sub(logp, want)}
		}, [][][]float32{{{1}, {-1}}}, []int32{0, 0, 0, 0, 1}, []int32{0, 1, 2, 3, 2}, head)
		near(t, "greedy", floats(t, got[0]), []float32{0, 1, 0, 0, 1}, 0)
		near(t, "logp", floats(t, got[1]), make([]float32, 5), 1e-6)
	})
}

// The gradient of a frozen head in bfloat16 is that of float32, rounded: also for rows and words that fill no block.
func TestFrozenHeadHalfPrecision(t *testing.T) {
	d := xla(t)
	const tokens, width, words = 70, 96, 5003
	hidden := tensors.FromFlatDataAndDimensions(rounded(floats(t, random(1, 1, tokens, width))), 1, tokens, width)
	head := tensors.FromFlatDataAndDimensions(rounded(floats(t, random(2, words, width))), words, width)
	index, labels := make([]int32, tokens), make([]int32, tokens)
	for i := range index {
		index[i], labels[i] = int32(i), int32(i*71%words)
	}
	gradient := func(dtype dtypes.DType) []float32 {
		p := graph.NewProgram(d, "head", func(in [][]*Node) [][]*Node {
			h, w := ConvertDType(in[0][0], dtype), ConvertDType(in[0][1], dtype)
			logp, _ := graph.TokenLogProbs(h, in[1][0], in[1][1], w, graph.HeadGradient{Hidden: true}, 64)
			return [][]*Node{{Gradient(ReduceAllSum(logp), in[0][0])[0]}}
		})
		defer p.Close()
		in := []*tensors.Tensor{tensors.FromValue(index), tensors.FromValue(labels)}
		out, err := p.Call([]*tensors.Tensor{hidden, head}, in)
		if err != nil {
			t.Fatal(err)
		}
		return floats(t, out[0][0])
	}
	if r := relative(gradient(dtypes.BFloat16), gradient(dtypes.Float32)); !(r <= 0.004) {
		t.Errorf("relative difference %g", r)
	}
}

// The gradient of a token that the network is sure of is the small difference of two rows that nearly agree: in bfloat16 it is still that.
func TestSureTokens(t *testing.T) {
	const tokens, width, words = 64, 96, 5003
	w := rounded(floats(t, random(2, words, width)))
	index, labels := make([]int32, tokens), make([]int32, tokens)
	devices(t, func(t *testing.T, d *graph.Device) {
		head := tensors.FromFlatDataAndDimensions(w, words, width)
		for scale, most := range map[float32]float32{0.1: -0.05, 0.16: -2e-4, 0.18: -3e-5} {
			h := make([]float32, 0, tokens*width)
			for i := range index {
				index[i], labels[i] = int32(i), int32(i*71%words)
				for _, x := range w[int(labels[i])*width:][:width] {
					h = append(h, scale*(1+float32(i)/640)*x)
				}
			}
			hidden := tensors.FromFlatDataAndDimensions(rounded(h), 1, tokens, width)
			gradient := func(dtype dtypes.DType) (grad, logp []float32) {
				got := call(t, d, func(in []*Node) []*Node {
					h, w := ConvertDType(in[0], dtype), ConvertDType(in[1], dtype)
					logp, _ := graph.TokenLogProbs(h, in[2], in[3], w, graph.HeadGradient{Hidden: true}, 64)
					return []*Node{Gradient(ReduceAllSum(logp), in[0])[0], logp}
				}, hidden, head, index, labels)
				return floats(t, got[0]), floats(t, got[1])
			}
			half, _ := gradient(dtypes.BFloat16)
			full, logp := gradient(dtypes.Float32)
			if slices.Max(logp) < most {
				t.Errorf("scale %g: no token is more probable than e^%g", scale, slices.Max(logp))
			}
			for i := range tokens {
				if r := relative(half[i*width:(i+1)*width], full[i*width:(i+1)*width]); !(r <= 0.01) {
					t.Errorf("scale %g: the gradient of token %d of log-probability %g is off by %.2g", scale, i, logp[i], r)
				}
			}
		}
	})
}

// In bfloat16 values and gradients stay within its rounding of those in float32.
func TestTokenLogProbsHalfPrecision(t *testing.T) {
	index, labels := []int32{0, 1, 2, 3, 4, 5, 6, 7}, []int32{3, 1, 4, 1, 5, 9, 2, 6}
	devices(t, func(t *testing.T, d *graph.Device) {
		hidden, head := random(1, 1, 8, 64), random(2, 50, 64)
		run := func(dtype dtypes.DType, frozen bool) (logp, grad []float32) {
			got := call(t, d, func(in []*Node) []*Node {
				h, w := ConvertDType(MulScalar(in[0], 0.1), dtype), ConvertDType(in[3], dtype)
				logp, _ := graph.TokenLogProbs(h, in[1], in[2], w, graph.HeadGradient{Hidden: true, Head: !frozen}, 5)
				return []*Node{logp, Gradient(ReduceAllSum(logp), in[0])[0]}
			}, hidden, index, labels, head)
			return floats(t, got[0]), floats(t, got[1])
		}
		for _, frozen := range []bool{true, false} {
			wantLogp, wantGrad := run(dtypes.Float32, frozen)
			logp, grad := run(dtypes.BFloat16, frozen)
			if r := relative(logp, wantLogp); r > 0.004 {
				t.Errorf("frozen %v: logp off by %.2g", frozen, r)
			}
			if r := relative(grad, wantGrad); r > 0.01 {
				t.Errorf("frozen %v: gradient off by %.2g", frozen, r)
			}
		}
	})
}
