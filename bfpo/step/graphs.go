package step

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Options are the hyperparameters that are compiled into a step's programs.
type Options struct {
	Objective   bfpo.Objective
	Optimizer   graph.AdamW
	MaxGradNorm float64      // global norm that gradients are clipped to; 0 = no clipping
	DType       dtypes.DType // of activations and matrix products
	Remat       bool         // recompute each layer in the backward pass
	Precomputed bool         // batches carry the reference log-probabilities; else the step computes them
}

// headChunk is the number of targets whose logits over the vocabulary exist at a time.
const headChunk = 256

// graphs builds the graphs of the programs. base and masters give names and placement of the weights; their values are
// inputs.
type graphs struct {
	config        config.Config
	base, masters *device.TensorSet
	options       Options
}

// responsesPerUnit is the number of responses that one loss compares: two for a pair, one for a supervised row.
func (g graphs) responsesPerUnit() int {
	if g.options.Objective.Preference() {
		return 2
	}
	return 1
}

// policy returns the policy's weights: the base with the masters in place of the weights that are trained.
func (g graphs) policy(base, masters []*Node) graph.Weights {
	w := graph.NewWeights(g.base.Names, base).OnMesh(g.base, g.masters)
	return w.WithMasters(g.masters.Names, masters).WithDType(g.options.DType)
}

// grads adds the gradient of sum_i weight_i * loss_i to the accumulator, or begins with it where the accumulator holds
// nothing.
//
// On a mesh a weight is either sharded or whole on every device. The gradients of sharded weights are summed here over
// the devices of a replica, since each needs the sum for its shard. apply sums over the replicas, and it sums the
// gradients of whole weights over all devices.
func (g graphs) grads(inputs [][]*Node) [][]*Node {
	in := newGradsInputs(inputs)
	b := newBatchNodes(in.batch, g.responsesPerUnit())
	report := g.losses(g.policy(in.base, in.masters), b, true)
	total := ReduceAllSum(Mul(report.loss, b.weight))
	accumulated := make([]*Node, len(in.accumulator))
	for i, gradient := range Gradient(total, in.masters...) {
		old := in.accumulator[i]
		old = Where(BroadcastToShape(in.accumulate[0], old.Shape()), old, ZerosLike(old))
		accumulated[i] = Add(old, ConvertDType(gradient, dtypes.Float32))
	}
	return [][]*Node{accumulated, report.outputs(g.options.Objective.Preference())}
}

// measure computes the losses alone, for evaluation.
func (g graphs) measure(inputs [][]*Node) [][]*Node {
	in := newMeasureInputs(inputs)
	report := g.losses(g.policy(in.base, in.masters), newBatchNodes(in.batch, g.responsesPerUnit()), false)
	return [][]*Node{report.outputs(g.options.Objective.Preference())}
}

// reference computes the reference log-probability of each target, as the other programs do.
func (g graphs) reference(inputs [][]*Node) [][]*Node {
	in := newMeasureInputs(inputs)
	return [][]*Node{{g.referenceLogProbs(g.policy(in.base, in.masters), newBatchNodes(in.batch, g.responsesPerUnit()))}}
}

// apply is one AdamW update by the accumulated gradient, clipped to a global norm.
func (g graphs) apply(inputs [][]*Node) [][]*Node {
	in := newApplyInputs(inputs)
	gradients := graph.AllReduceSum(g.base.Mesh, in.accumulator, g.masters)
	rates := graph.Rates{LearningRate: in.rates[0], Correction1: in.rates[1], Correction2: in.rates[2]}
	norm := graph.GlobalNormOnMesh(gradients, g.masters)
	for i, gradient := range gradients {
		if g.options.MaxGradNorm > 0 {
			gradient = Mul(gradient, graph.ClipScale(norm, g.options.MaxGradNorm))
		}
		in.masters[i], in.m[i], in.v[i] = g.options.Optimizer.Update(in.masters[i], in.m[i], in.v[i], gradient, rates)
	}
	return [][]*Node{in.masters, in.m, in.v, {norm}}
}

// losses runs the policy and, for a preference objective, the reference model over a batch. gradient reports whether
// the gradient of the loss will be asked for.
func (g graphs) losses(policy graph.Weights, b batchNodes, gradient bool) reportNodes {
	head := graph.HeadGradients{Hidden: gradient, Head: policy.HasMaster(mistral.HeadName(g.config))}
	logProb, logits := g.logProbs(policy, b, head, g.options.Remat)
	report := reportNodes{policy: b.sumPerResponse(logProb), logits: b.sumPerResponse(logits)}
	if !g.options.Objective.Preference() {
		report.loss = bfpo.SFTLoss(report.policy)
		return report
	}
	reference := b.reference
	if reference == nil {
		reference = g.referenceLogProbs(policy, b)
	}

	// Policy and reference are subtracted token by token: the two are close, so their difference loses no digits, as the
	// difference of the sums over a long response would.
	report.reference, report.logRatio = b.sumPerResponse(reference), b.sumPerResponse(Sub(logProb, reference))
	out := bfpo.Outcome{ChosenSafe: b.chosenSafe, RejectedSafe: b.rejectedSafe}
	out.ChosenLogRatio, out.RejectedLogRatio = splitPairs(report.logRatio)
	tokens := func() *Node { return MaxScalar(b.sumPerResponse(OnesLike(logProb)), 1) } // [R]; padding has none
	if g.options.Objective.PerToken() {
		out.ChosenPerToken, out.RejectedPerToken = splitPairs(Div(report.policy, tokens()))
	}
	if g.options.Objective.AverageLogProb {
		out.ChosenLogRatio, out.RejectedLogRatio = splitPairs(Div(report.logRatio, tokens()))
	}
	report.loss = g.options.Objective.Loss(out)
	return report
}

// referenceLogProbs returns log pi_ref of each target. It computes the head's product by the same operations as the
// policy, so that before the first step, when their weights are equal, their log-probabilities are equal to the bit.
func (g graphs) referenceLogProbs(policy graph.Weights, b batchNodes) *Node { // [N]
	head := graph.HeadGradients{Head: policy.HasMaster(mistral.HeadName(g.config))}
	logProb, _ := g.logProbs(policy.Base(), b, head, false)
	return StopGradient(logProb)
}

// logProbs returns the log-probability of each target in nats, and the mean over the vocabulary of the logits that
// predict it.
func (g graphs) logProbs(
	w graph.Weights,
	b batchNodes,
	head graph.HeadGradients,
	remat bool,
) (logProb, logits *Node) { // [N]
	hidden := mistral.Hidden(g.config, w, b.Input, remat) // [B,S,D]
	logProb, logits = graph.TokenLogProbs(hidden, b.index, b.labels, mistral.Head(g.config, w), head, headChunk)
	return logProb, StopGradient(logits)
}

// splitPairs splits interleaved responses into chosen and rejected.
func splitPairs(x *Node) (chosen, rejected *Node) { // [2P] -> [P], [P]
	p := x.Shape().Dimensions[0] / 2
	x = Reshape(x, p, 2)
	return Reshape(Slice(x, AxisRange(), AxisElem(0)), p), Reshape(Slice(x, AxisRange(), AxisElem(1)), p)
}
