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

// layout is a batch under construction: rows of tokens and the targets in them.
type rowBuilder struct {
	length                      int
	tokens, positions, segments []int32
	index, labels               []int32
}

// row starts a row of padding.
func (l *rowBuilder) startRow() {
	for range l.length {
		l.tokens, l.positions, l.segments = append(l.tokens, 1), append(l.positions, 0), append(l.segments, 0)
	}
}

// put writes ids into the last row from column at on. With scored, each is a target, the first one predicted at
// column before.
func (l *rowBuilder) write(at, position int, segment int32, ids []int32, scored bool, before int) {
	row := len(l.tokens) - l.length
	for i, id := range ids {
		l.tokens[row+at+i], l.positions[row+at+i], l.segments[row+at+i] = id, int32(position+i), segment
		if scored {
			l.index, l.labels = append(l.index, int32(row+before)), append(l.labels, id)
		}
		before = at + i
	}
}

func (l *rowBuilder) input() []*tensors.Tensor {
	var in []*tensors.Tensor
	for _, values := range [][]int32{l.tokens, l.positions, l.segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, len(values)/l.length, l.length))
	}
	return append(in, tensors.FromValue(l.index), tensors.FromValue(l.labels))
}

// randomWeights returns normal weights of standard deviation scale for every tensor of c, norms around one.
func randomWeights(c config.Config, scale float64) *device.Tensors {
	source, set := rand.New(rand.NewSource(1)), &device.Tensors{}
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

// A prompt shared by two responses, packed with another document and padding into one row, gives the
// log-probabilities and the gradient of three rows with one document each.
func TestSharedPrompt(t *testing.T) {
	c := config.Config{VocabSize: 50, HiddenSize: 24, IntermediateSize: 40, NumHiddenLayers: 2, NumAttentionHeads: 6, NumKeyValueHeads: 2,
		HeadDim: 4, RMSNormEps: 1e-5, RopeTheta: 1e4}
	prompt, chosen, rejected, document := []int32{3, 14, 15, 9, 2}, []int32{6, 5, 35, 8}, []int32{7, 31, 41}, []int32{27, 18, 28, 18, 28, 45}
	p := len(prompt)

	shared := &rowBuilder{length: 20}
	shared.startRow()
	shared.write(0, 0, 1<<graph.BranchBits, prompt, false, 0)
	shared.write(p, p, 1<<graph.BranchBits|1, chosen, true, p-1)
	shared.write(p+4, p, 1<<graph.BranchBits|2, rejected, true, p-1)
	shared.write(p+7, 0, 2<<graph.BranchBits, document[:1], false, 0)
	shared.write(p+8, 1, 2<<graph.BranchBits, document[1:], true, p+7)

	apart := &rowBuilder{length: 12}
	for _, response := range [][]int32{chosen, rejected} {
		apart.startRow()
		apart.write(0, 0, 1<<graph.BranchBits, prompt, false, 0)
		apart.write(p, p, 1<<graph.BranchBits, response, true, p-1)
	}
	apart.startRow()
	apart.write(3, 0, 1<<graph.BranchBits, document[:1], false, 0) // padding on the left
	apart.write(4, 1, 1<<graph.BranchBits, document[1:], true, 3)

	for _, window := range []int{0, 3} {
		c.SlidingWindow = window
		for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
			weights := randomWeights(c, 0.3)
			score := func(l *rowBuilder) (logp []float32, grads []*tensors.Tensor) {
				result := run(t, d, func(in [][]*Node) [][]*Node {
					w := graph.NewWeights(weights.Names, in[0])
					logp, _ := graph.TokenLogProbs(mistral.Hidden(c, w, asInput(in[1]), false), in[1][3], in[1][4], mistral.Head(c, w), graph.HeadGradient{Hidden: true, Head: true}, 5)
					return [][]*Node{{logp}, Gradient(ReduceAllSum(Square(logp)), in[0]...)}
				}, weights.Values, l.input())
				return floats(t, result[0][0]), result[1]
			}
			got, gotGrads := score(shared)
			want, wantGrads := score(apart)
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
