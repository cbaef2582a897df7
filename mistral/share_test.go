package mistral_test

import (
	"math/rand"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// rowBuilder builds a batch: rows of tokens and the targets in them.
type rowBuilder struct {
	length                      int
	tokens, positions, segments []int32
	index, labels               []int32
}

// startRow starts a row, which is all padding at first.
func (b *rowBuilder) startRow() {
	for range b.length {
		b.tokens, b.positions, b.segments = append(b.tokens, 1), append(b.positions, 0), append(b.segments, 0)
	}
}

// write writes ids into the last row from column at on. With scored, each is a target; column before predicts the
// first.
func (b *rowBuilder) write(at, position int, segment int32, ids []int32, scored bool, before int) {
	row := len(b.tokens) - b.length
	for i, id := range ids {
		b.tokens[row+at+i], b.positions[row+at+i], b.segments[row+at+i] = id, int32(position+i), segment
		if scored {
			b.index, b.labels = append(b.index, int32(row+before)), append(b.labels, id)
		}
		before = at + i
	}
}

func (b *rowBuilder) input() []*tensors.Tensor {
	var in []*tensors.Tensor
	for _, values := range [][]int32{b.tokens, b.positions, b.segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, len(values)/b.length, b.length))
	}
	return append(in, tensors.FromValue(b.index), tensors.FromValue(b.labels))
}

// randomWeights returns normally distributed weights with standard deviation scale; norms are centred at one.
func randomWeights(c config.Config, scale float64) *device.TensorSet {
	source, set := rand.New(rand.NewSource(1)), &device.TensorSet{}
	for _, spec := range c.Tensors() {
		values := make([]float32, spec.Elements())
		for i := range values {
			values[i] = float32(source.NormFloat64() * scale)
			if len(spec.Dims) == 1 {
				values[i]++
			}
		}
		set.Add(spec.Name, tensors.FromFlatDataAndDimensions(values, spec.Dims...))
	}
	return set
}

// A prompt that two responses share, packed with another document and padding into one row, gives the
// log-probabilities and gradients of three rows with one document each.
func TestSharedPrompt(t *testing.T) {
	c := config.Config{VocabSize: 50, HiddenSize: 24, IntermediateSize: 40, NumHiddenLayers: 2, NumAttentionHeads: 6,
		NumKeyValueHeads: 2, HeadDim: 4, RMSNormEps: 1e-5, RopeTheta: 1e4}
	prompt, document := []int32{3, 14, 15, 9, 2}, []int32{27, 18, 28, 18, 28, 45}
	chosen, rejected := []int32{6, 5, 35, 8}, []int32{7, 31, 41}
	p := len(prompt)

	shared := &rowBuilder{length: 20}
	shared.startRow()
	shared.write(0, 0, 1<<graph.BranchBits, prompt, false, 0)
	shared.write(p, p, 1<<graph.BranchBits|1, chosen, true, p-1)
	shared.write(p+4, p, 1<<graph.BranchBits|2, rejected, true, p-1)
	shared.write(p+7, 0, 2<<graph.BranchBits, document[:1], false, 0)
	shared.write(p+8, 1, 2<<graph.BranchBits, document[1:], true, p+7)

	separate := &rowBuilder{length: 12}
	for _, response := range [][]int32{chosen, rejected} {
		separate.startRow()
		separate.write(0, 0, 1<<graph.BranchBits, prompt, false, 0)
		separate.write(p, p, 1<<graph.BranchBits, response, true, p-1)
	}
	separate.startRow()
	separate.write(3, 0, 1<<graph.BranchBits, document[:1], false, 0) // padding on the left
	separate.write(4, 1, 1<<graph.BranchBits, document[1:], true, 3)

	for _, window := range []int{0, 3} {
		c.SlidingWindow = window
		for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
			weights := randomWeights(c, 0.3)
			score := func(b *rowBuilder) (logp []float32, grads []*tensors.Tensor) {
				result := run(t, d, func(in [][]*Node) [][]*Node {
					w := graph.NewWeights(weights.Names, in[0])
					h := mistral.Hidden(c, w, asInput(in[1]), false)
					gradient := graph.HeadGradients{Hidden: true, Head: true}
					logp, _ := graph.TokenLogProbs(h, in[1][3], in[1][4], mistral.Head(c, w), gradient, 5)
					return [][]*Node{{logp}, Gradient(ReduceAllSum(Square(logp)), in[0]...)}
				}, weights.Values, b.input())
				return floats(t, result[0][0]), result[1]
			}
			got, gotGrads := score(shared)
			want, wantGrads := score(separate)
			ones := make([]int32, len(want))
			for i := range ones {
				ones[i] = 1
			}
			if diff := worstDifference(got, want, ones); !(diff <= 1e-5) {
				t.Errorf("%s, window %d: log-probabilities differ by %.2g", d.Platform(), window, diff)
			}
			for i, name := range weights.Names {
				if r := relativeError(floats(t, gotGrads[i]), floats(t, wantGrads[i])); !(r <= 1e-5) {
					t.Errorf("%s, window %d: gradients of %s differ by %.2g", d.Platform(), window, name, r)
				}
			}
		}
	}
}
