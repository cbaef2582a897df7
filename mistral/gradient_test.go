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

// Log-probabilities, BFPO and SFT losses and the gradients of all tensors equal those of transformers and torch.
func TestGradients(t *testing.T) {
	const tolerance = 1e-4
	g := openGolden(t, "gradients.safetensors")
	d := graphtest.Device(t)
	for variant, c := range goldenConfigs(t, "gradients.json") {
		modes := []struct{ frozen, remat bool }{{false, false}}
		switch variant {
		case "gqa2":
			modes = append(modes, struct{ frozen, remat bool }{true, true})
		case "tied":
			modes = append(modes, struct{ frozen, remat bool }{false, true}, struct{ frozen, remat bool }{true, false})
		}
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s,frozen=%v,remat=%v", variant, mode.frozen, mode.remat), func(t *testing.T) {
				base, policy := g.weights(variant+"/reference/"), g.weights(variant+"/policy/")
				skip := 0 // the losses of single pairs are checked in one mode, the mean loss and SFT in all
				if mode.frozen || mode.remat {
					skip = 3
				}
				r := g.rows(variant + "/")
				index, labels := r.targets(g.ints(variant + "/labels"))
				owner := make([]int32, len(index))
				for n, i := range index {
					owner[n] = i / int32(r.length)
				}
				trained := slices.Clone(policy.Names)
				if head := slices.Index(trained, mistral.HeadName(c)); mode.frozen {
					trained = slices.Delete(trained, head, head+1)
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
				result := run(t, d, func(in [][]*Node) [][]*Node {
					w := graph.NewWeights(base.Names, in[0]).Overlay(policy.Names, in[1])
					logps := func(w graph.Weights, frozen bool) *Node {
						h := mistral.Hidden(c, w, asInput(in[2]), mode.remat)
						gradient := graph.HeadGradient{Hidden: true, Head: !frozen}
						logp, _ := graph.TokenLogProbs(h, in[2][3], in[2][4], mistral.Head(c, w), gradient, 16)
						return logp
					}
					tokens := logps(w, mode.frozen)
					sums := rowSums(tokens, in[2][5], 6)
					reference := rowSums(logps(w.Base(), true), in[2][5], 6)
					losses := bfpo(sums, reference, in[3][0], in[3][1])
					sft := Neg(ReduceAllMean(tokens))
					var wrt []*Node
					for _, name := range trained {
						wrt = append(wrt, w.Get(name))
					}
					results := [][]*Node{{sums, reference, losses, sft}}
					all := []*Node{element(losses, 0), element(losses, 1), element(losses, 2), ReduceAllMean(losses), sft}
					for _, loss := range all[skip:] {
						results = append(results, Gradient(loss, wrt...))
					}
					return results
				}, base.Values, policy.Values, batch, safe)

				for i, name := range []string{"policy_logps", "ref_logps", "bfpo_losses", "sft_loss"} {
					if r := relativeError(floats(t, result[0][i]), g.floats(variant+"/"+name)); !(r <= 1e-5) {
						t.Errorf("%s is off by %.2g", name, r)
					}
				}
				names := []string{"grad_bfpo_example0", "grad_bfpo_example1", "grad_bfpo_example2", "grad_bfpo_mean", "grad_sft"}
				for i, name := range names[skip:] {
					for j, weight := range trained {
						if r := relativeError(floats(t, result[i+1][j]), g.floats(variant+"/"+name+"/"+weight)); !(r <= tolerance) {
							t.Errorf("%s of %s is off by %.2g, tolerance %g", name, weight, r, tolerance)
						}
					}
				}
			})
		}
	}
}
