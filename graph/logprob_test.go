package graph_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// fullLogProbs computes TokenLogProbs by its definition, with all logits at once and GoMLX's gradients.
func fullLogProbs(hidden, index, labels, head *Node) (logp, mean *Node) {
	logits := Einsum("bsd,vd->bsv", hidden, head)
	logits = Reshape(logits, -1, head.Shape().Dim(0))
	logits = Gather(logits, InsertAxes(index, -1)) // [N, V]
	onehot := OneHot(labels, head.Shape().Dim(0), dtypes.Float32)
	return ReduceSum(Mul(LogSoftmax(logits), onehot), -1), ReduceMean(logits, -1)
}

func TestTokenLogProbs(t *testing.T) {
	const b, s, d, v = 2, 6, 8, 11
	index := []int32{0, 3, 3, 5, 6, 7, 11, 0, 0} // from both rows, some of them twice, as padding is
	labels := []int32{0, 10, 4, 4, 7, 1, 2, 0, 0}
	weight := []float32{1, -2, 0.5, 3, 1, 1, -1, 0, 0}
	graphtest.OnEachBackend(t, func(t *testing.T, dev *device.Device) {
		hidden, head := graphtest.Random(1, b, s, d), graphtest.Random(2, v, d)
		want := call(t, dev, func(in []*Node) []*Node {
			logp, mean := fullLogProbs(in[0], in[1], in[2], in[3])
			return append(Gradient(ReduceAllSum(Mul(logp, in[4])), in[0], in[3]), logp, mean)
		}, hidden, index, labels, head, weight)
		for _, frozen := range []bool{true, false} {
			for _, chunk := range []int{1, 7, 256} {
				t.Run(fmt.Sprintf("frozen=%v,chunk=%d", frozen, chunk), func(t *testing.T) {
					got := call(t, dev, func(in []*Node) []*Node {
						gradients := graph.HeadGradients{Hidden: true, Head: !frozen}
						logp, mean := graph.TokenLogProbs(in[0], in[1], in[2], in[3], gradients, chunk)
						loss := ReduceAllSum(Mul(logp, in[4]))
						if frozen {
							return []*Node{Gradient(loss, in[0])[0], logp, logp, mean}
						}
						return append(Gradient(loss, in[0], in[3]), logp, mean)
					}, hidden, index, labels, head, weight)
					near(t, "dhidden", graphtest.Floats(t, got[0]), graphtest.Floats(t, want[0]), 1e-5)
					if !frozen {
						near(t, "dhead", graphtest.Floats(t, got[1]), graphtest.Floats(t, want[1]), 1e-5)
					}
					near(t, "logp", graphtest.Floats(t, got[2]), graphtest.Floats(t, want[2]), 1e-5)
					near(t, "mean", graphtest.Floats(t, got[3]), graphtest.Floats(t, want[3]), 1e-5)
				})
			}
		}
	})
}

// For the 2048 tokens of a pair of length 1024, TokenLogProbs and its gradient need at most a quarter of the scratch
// memory of a program with all logits, for a frozen head and for a trained one. The sizes are the compiler's; the
// gradient of the head is a result and does not count.
func TestTokenLogProbsMemory(t *testing.T) {
	d := graphtest.XLA(t)
	const tokens, width, vocabulary, chunk = 2048, 256, 32000, 256
	hidden, head := shapes.Make(dtypes.Float32, 1, tokens, width), shapes.Make(dtypes.Float32, vocabulary, width)
	places := shapes.Make(dtypes.Int32, tokens)
	for _, frozen := range []bool{true, false} {
		temp := func(score func(in []*Node) (logp, mean *Node)) int64 {
			p := device.NewProgram(d, "head", func(in [][]*Node) [][]*Node {
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
			gradients := graph.HeadGradients{Hidden: true, Head: !frozen}
			return graph.TokenLogProbs(in[0], in[2], in[3], in[1], gradients, chunk)
		})
		t.Logf("frozen %v: %d MiB in chunks, %d MiB with all logits", frozen, ours>>20, all>>20)
		if ours > all/4 {
			t.Errorf("frozen %v: %d bytes in chunks, %d bytes with all logits", frozen, ours, all)
		}
	}
}

// With D = 1 and h = 1 the logits are the weights of the head: ln 1, ln 2, ln 5 give probabilities 1/8, 2/8, 5/8.
func TestTokenLogProbsByHand(t *testing.T) {
	ln := func(x float64) float32 { return float32(math.Log(x)) }
	head := [][]float32{{ln(1)}, {ln(2)}, {ln(5)}}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			logp, mean := graph.TokenLogProbs(in[0], in[1], in[2], in[3], graph.HeadGradients{Hidden: true}, 2)
			// dlogp_0/dh = w_0 - sum_v p_v w_v
			return []*Node{logp, mean, Gradient(Squeeze(SliceAxis(logp, 0, AxisElem(0))), in[0])[0]}
		}, [][][]float32{{{1}}}, []int32{0, 0, 0}, []int32{0, 1, 2}, head)
		near(t, "logp", graphtest.Floats(t, got[0]), []float32{ln(1. / 8), ln(2. / 8), ln(5. / 8)}, 1e-6)
		near(t, "mean", graphtest.Floats(t, got[1]), []float32{ln(10) / 3, ln(10) / 3, ln(10) / 3}, 1e-6)
		near(t, "dh", graphtest.Floats(t, got[2]), []float32{-(2*ln(2) + 5*ln(5)) / 8}, 1e-6)
	})
}

func TestGreedyLogProbs(t *testing.T) {
	// With one hidden unit the logits are the weights of the head. Two tokens have logit 3; the first one is greedy.
	head := [][]float32{{1}, {3}, {-2}, {3}}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		got := call(t, d, func(in []*Node) []*Node {
			logp, greedy := graph.GreedyLogProbs(graph.GatherRows(in[0], in[1]), in[2], in[3])
			want, _ := graph.TokenLogProbs(in[0], in[1], in[2], in[3], graph.HeadGradients{Head: true}, 3)
			return []*Node{ConvertDType(greedy, dtypes.Float32), Sub(logp, want)}
		}, [][][]float32{{{1}, {-1}}}, []int32{0, 0, 0, 0, 1}, []int32{0, 1, 2, 3, 2}, head)
		near(t, "greedy", graphtest.Floats(t, got[0]), []float32{0, 1, 0, 0, 1}, 0)
		near(t, "logp", graphtest.Floats(t, got[1]), make([]float32, 5), 1e-6)
	})
}

// The gradient of a frozen head in bfloat16 is that of float32, rounded: also for rows and words that fill no block.
func TestFrozenHeadHalfPrecision(t *testing.T) {
	d := graphtest.XLA(t)
	const tokens, width, words = 70, 96, 5003
	random := func(seed int64, dims ...int) *tensors.Tensor {
		values := roundToBF16(graphtest.Floats(t, graphtest.Random(seed, dims...)))
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	hidden, head := random(1, 1, tokens, width), random(2, words, width)
	index, labels := make([]int32, tokens), make([]int32, tokens)
	for i := range index {
		index[i], labels[i] = int32(i), int32(i*71%words)
	}
	gradient := func(dtype dtypes.DType) []float32 {
		p := device.NewProgram(d, "head", func(in [][]*Node) [][]*Node {
			h, w := ConvertDType(in[0][0], dtype), ConvertDType(in[0][1], dtype)
			logp, _ := graph.TokenLogProbs(h, in[1][0], in[1][1], w, graph.HeadGradients{Hidden: true}, 64)
			return [][]*Node{{Gradient(ReduceAllSum(logp), in[0][0])[0]}}
		})
		defer p.Close()
		in := []*tensors.Tensor{tensors.FromValue(index), tensors.FromValue(labels)}
		out, err := p.Call([]*tensors.Tensor{hidden, head}, in)
		if err != nil {
			t.Fatal(err)
		}
		return graphtest.Floats(t, out[0][0])
	}
	if r := graphtest.RelativeError(gradient(dtypes.BFloat16), gradient(dtypes.Float32)); !(r <= 0.004) {
		t.Errorf("relative error %g", r)
	}
}

// For a token of probability near 1, the gradient is the small difference of two nearly equal rows. In float32 it is
// that of double precision, and in bfloat16 it is still accurate.
func TestNearlyCertainTokens(t *testing.T) {
	const tokens, width, words = 64, 96, 5003
	w := roundToBF16(graphtest.Floats(t, graphtest.Random(2, words, width)))
	index, labels := make([]int32, tokens), make([]int32, tokens)
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		head := tensors.FromFlatDataAndDimensions(w, words, width)
		for scale, least := range map[float32]float32{0.1: -0.05, 0.16: -2e-4, 0.18: -3e-5} {
			h := make([]float32, 0, tokens*width)
			for i := range index {
				index[i], labels[i] = int32(i), int32(i*71%words)
				for _, x := range w[int(labels[i])*width:][:width] {
					h = append(h, scale*(1+float32(i)/640)*x)
				}
			}
			h = roundToBF16(h)
			hidden := tensors.FromFlatDataAndDimensions(h, 1, tokens, width)
			gradient := func(dtype dtypes.DType) (grad, logp []float32) {
				got := call(t, d, func(in []*Node) []*Node {
					h, w := ConvertDType(in[0], dtype), ConvertDType(in[1], dtype)
					logp, _ := graph.TokenLogProbs(h, in[2], in[3], w, graph.HeadGradients{Hidden: true}, 64)
					return []*Node{Gradient(ReduceAllSum(logp), in[0])[0], logp}
				}, hidden, head, index, labels)
				return graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])
			}
			half, _ := gradient(dtypes.BFloat16)
			full, logp := gradient(dtypes.Float32)
			if slices.Max(logp) < least {
				t.Errorf("scale %g: the most probable token has log-probability %g, want at least %g", scale,
					slices.Max(logp), least)
			}
			for i := range tokens {
				want := headGradient(h[i*width:(i+1)*width], w, int(labels[i]))
				if r := graphtest.RelativeError(full[i*width:(i+1)*width], want); !(r <= 1e-4) {
					t.Errorf("scale %g: gradient of token %d (log-probability %g) in float32: relative error %.2g",
						scale, i, logp[i], r)
				}
				if r := graphtest.RelativeError(half[i*width:(i+1)*width], full[i*width:(i+1)*width]); !(r <= 0.01) {
					t.Errorf("scale %g: gradient of token %d (log-probability %g): relative error %.2g",
						scale, i, logp[i], r)
				}
			}
		}
	})
}

// headGradient computes in double precision the gradient of a label's log-probability with respect to the hidden
// state h: the label's row of w minus the mean of all rows, weighted with their probabilities.
func headGradient(h, w []float32, label int) []float32 {
	width := len(h)
	logits := make([]float64, len(w)/width)
	for v := range logits {
		for k, x := range w[v*width:][:width] {
			logits[v] += float64(h[k]) * float64(x)
		}
	}
	top, sum := slices.Max(logits), 0.0
	for _, x := range logits {
		sum += math.Exp(x - top)
	}
	grad := make([]float64, width)
	for v, x := range logits {
		p := math.Exp(x-top) / sum
		for k := range grad {
			grad[k] += p * (float64(w[label*width+k]) - float64(w[v*width+k]))
		}
	}
	out := make([]float32, width)
	for k, x := range grad {
		out[k] = float32(x)
	}
	return out
}

// In bfloat16, values and gradients differ from the float32 results by rounding only.
func TestTokenLogProbsHalfPrecision(t *testing.T) {
	index, labels := []int32{0, 1, 2, 3, 4, 5, 6, 7}, []int32{3, 1, 4, 1, 5, 9, 2, 6}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		hidden, head := graphtest.Random(1, 1, 8, 64), graphtest.Random(2, 50, 64)
		run := func(dtype dtypes.DType, frozen bool) (logp, grad []float32) {
			got := call(t, d, func(in []*Node) []*Node {
				h, w := ConvertDType(MulScalar(in[0], 0.1), dtype), ConvertDType(in[3], dtype)
				logp, _ := graph.TokenLogProbs(h, in[1], in[2], w, graph.HeadGradients{Hidden: true, Head: !frozen}, 5)
				return []*Node{logp, Gradient(ReduceAllSum(logp), in[0])[0]}
			}, hidden, index, labels, head)
			return graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])
		}
		for _, frozen := range []bool{true, false} {
			wantLogp, wantGrad := run(dtypes.Float32, frozen)
			logp, grad := run(dtypes.BFloat16, frozen)
			if r := graphtest.RelativeError(logp, wantLogp); r > 0.004 {
				t.Errorf("frozen %v: logp has relative error %.2g", frozen, r)
			}
			if r := graphtest.RelativeError(grad, wantGrad); r > 0.01 {
				t.Errorf("frozen %v: gradient has relative error %.2g", frozen, r)
			}
		}
	})
}
