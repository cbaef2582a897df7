package mistral_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// With remat, log-probabilities and gradients are those without, and a policy with the weights of the base has the
// base's log-probabilities to the last bit. The heads are wide enough for the attention kernel.
func TestRematEqualsKept(t *testing.T) {
	c := config.Config{VocabSize: 97, HiddenSize: 64, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 32, RMSNormEps: 1e-5, RopeTheta: 1e4, MaxPositionEmbeddings: 1024}
	weights := seededWeights(c, 1)
	rows := &rowBuilder{length: 40}
	rows.startRow()
	ids := make([]int32, 37)
	for i := range ids {
		ids[i] = int32(i*i*7+5) % int32(c.VocabSize)
	}
	rows.write(0, 0, 1<<graph.BranchBits, ids[:1], false, 0)
	rows.write(1, 1, 1<<graph.BranchBits, ids[1:], true, 0)
	names := append([]string{"log-probabilities"}, weights.Names...)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		var kept [][]float32
		for _, remat := range []bool{false, true} {
			result := run(t, graphtest.Device(t), func(in [][]*Node) [][]*Node {
				base := graph.NewWeights(weights.Names, in[0]).WithDType(dtype)
				logProbs := func(w graph.Weights, remat, hiddenGradient bool) *Node {
					h := mistral.Hidden(c, w, asInput(in[1]), remat)
					gradient := graph.HeadGradients{Hidden: hiddenGradient, Head: true}
					logp, _ := graph.TokenLogProbs(h, in[1][3], in[1][4], mistral.Head(c, w), gradient, 16)
					return logp
				}
				policy := logProbs(base.WithMasters(weights.Names, in[0]), remat, true)
				reference := logProbs(base, false, false)
				return [][]*Node{append([]*Node{reference, policy}, Gradient(ReduceAllSum(Square(policy)), in[0]...)...)}
			}, weights.Values, rows.input())
			var all [][]float32
			for _, x := range result[0] {
				all = append(all, floats(t, x))
			}
			mode := fmt.Sprintf("%s, remat %v", dtype, remat)
			if !slices.Equal(all[0], all[1]) {
				t.Errorf("%s: policy %v, reference %v", mode, all[1], all[0])
			}
			if kept == nil {
				kept = all[1:]
			}
			for i, name := range names {
				if r := relativeError(all[i+1], kept[i]); !(r <= 1e-5) {
					t.Errorf("%s: %s differ by %g", mode, name, r)
				}
			}
		}
	}
}
