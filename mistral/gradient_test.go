package mistral_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// rowSums returns the sums of values [N] by row, [n]. owner [N] is the row of each value, from 0 to n-1.
func rowSums(values, owner *Node, n int) *Node {
	row := Iota(values.Graph(), shapes.Make(dtypes.Int32, n, 1), 0)
	mine := ConvertDType(Equal(row, InsertAxes(owner, 0)), dtypes.Float32) // [n, N]
	return ReduceSum(Mul(mine, InsertAxes(values, 0)), -1)
}

// bfpo returns the BFPO losses (h - s/beta)^2, [3], of rows 0-2 (chosen) and rows 3-5 (rejected), with b1 = 3,
// alpha = 0.5 and beta = 0.01.
func bfpo(policy, reference, chosenSafe, rejectedSafe *Node) *Node {
	margin := func(x *Node) *Node { return Sub(SliceAxis(x, 0, AxisRange(0, 3)), SliceAxis(x, 0, AxisRange(3, 6))) }
	s := AddScalar(Sub(MulScalar(chosenSafe, 1.5), MulScalar(rejectedSafe, 0.5)), -0.5)
	return Square(Sub(Sub(margin(policy), margin(reference)), DivScalar(s, 0.01)))
}

// element returns element i of x [n] as a scalar.
func element(x *Node, i int) *Node { return Squeeze(SliceAxis(x, 0, AxisElem(i))) }

// gradientMode is how the gradients are computed: with a frozen LM head, and with remat.
type gradientMode struct{ frozenHead, remat bool }

// Log-probabilities, BFPO and SFT losses and the gradients of all tensors equal those of transformers and torch.
func TestGradients(t *testing.T) {
	g := openGolden(t, "gradients.safetensors")
	for variant, c := range goldenConfigs(t, "gradients.json") {
		modes := []gradientMode{{false, false}}
		switch variant {
		case "gqa2":
			modes = append(modes, gradientMode{true, true})
		case "tied":
			modes = append(modes, gradientMode{false, true}, gradientMode{true, false})
		}
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s,frozen=%v,remat=%v", variant, mode.frozenHead, mode.remat), func(t *testing.T) {
				checkGradients(t, g, variant, c, mode)
			})
		}
	}
}

// checkGradients checks the losses and gradients of one variant in one mode.
func checkGradients(t *testing.T, g golden, variant string, c config.Config, mode gradientMode) {
	const tolerance = 1e-4
	base, policy := g.weights(variant+"/reference/"), g.weights(variant+"/policy/")
	trained := slices.Clone(policy.Names)
	if head := slices.Index(trained, mistral.HeadName(c)); mode.frozenHead {
		trained = slices.Delete(trained, head, head+1)
	}
	losses := []string{"bfpo_example0", "bfpo_example1", "bfpo_example2", "bfpo_mean", "sft"}
	skip := 0 // the gradients of single pairs are checked in one mode, those of the mean loss and of SFT in all
	if mode.frozenHead || mode.remat {
		skip = 3
	}
	r := g.rows(variant + "/")
	index, labels := r.targets(g.ints(variant + "/labels"))
	owner := make([]int32, len(index))
	for n, i := range index {
		owner[n] = i / int32(r.length)
	}
	batch := append(r.input(), tensors.FromValue(index), tensors.FromValue(labels), tensors.FromValue(owner))
	var safe []*tensors.Tensor
	for _, name := range []string{"is_chosen_safe", "is_rejected_safe"} {
		var values []float32
		for _, v := range g.ints(variant + "/" + name) {
			values = append(values, float32(v))
		}
		safe = append(safe, tensors.FromValue(values))
	}
	build := gradientProgram(c, base.Names, policy.Names, trained, mode, skip)
	result := run(t, graphtest.Device(t), build, base.Values, policy.Values, batch, safe)
	for i, name := range []string{"policy_logps", "ref_logps", "bfpo_losses", "sft_loss"} {
		if r := relativeError(floats(t, result[0][i]), g.floats(variant+"/"+name)); !(r <= 1e-5) {
			t.Errorf("%s is off by %.2g", name, r)
		}
	}
	for i, loss := range losses[skip:] {
		for j, weight := range trained {
			want := g.floats(variant + "/grad_" + loss + "/" + weight)
			if r := relativeError(floats(t, result[i+1][j]), want); !(r <= tolerance) {
				t.Errorf("the gradient of %s by %s is off by %.2g, tolerance %g", loss, weight, r, tolerance)
			}
		}
	}
}

// gradientProgram returns a program whose first outputs are the log-probabilities of the rows under policy and
// reference model, the BFPO losses of the pairs and the SFT loss. They are followed by the gradients of the trained
// tensors for each loss but the first skip. The inputs are the base weights, the policy's, the batch and the safety
// labels.
func gradientProgram(c config.Config, base, policy, trained []string, mode gradientMode,
	skip int) func(in [][]*Node) [][]*Node {
	return func(in [][]*Node) [][]*Node {
		w := graph.NewWeights(base, in[0]).WithMasters(policy, in[1])
		logProbs := func(w graph.Weights, frozenHead bool) *Node {
			h := mistral.Hidden(c, w, asInput(in[2]), mode.remat)
			gradient := graph.HeadGradients{Hidden: true, Head: !frozenHead}
			logp, _ := graph.TokenLogProbs(h, in[2][3], in[2][4], mistral.Head(c, w), gradient, 16)
			return logp
		}
		tokens := logProbs(w, mode.frozenHead)
		sums := rowSums(tokens, in[2][5], 6)
		reference := rowSums(logProbs(w.Base(), true), in[2][5], 6)
		pairs := bfpo(sums, reference, in[3][0], in[3][1])
		sft := Neg(ReduceAllMean(tokens))
		var weights []*Node
		for _, name := range trained {
			weights = append(weights, w.Get(name))
		}
		results := [][]*Node{{sums, reference, pairs, sft}}
		all := []*Node{element(pairs, 0), element(pairs, 1), element(pairs, 2), ReduceAllMean(pairs), sft}
		for _, loss := range all[skip:] {
			results = append(results, Gradient(loss, weights...))
		}
		return results
	}
}
