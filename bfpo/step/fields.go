package step

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// The segments of a batch and the attention mask use the same number of bits for a branch: one of these constants would
// be negative otherwise, and no uint.
const (
	_ = uint(batch.BranchBits - graph.BranchBits)
	_ = uint(graph.BranchBits - batch.BranchBits)
)

// weightedBatch is a batch with the factor of each of its losses in the optimizer step.
type weightedBatch struct {
	batch.Batch
	weights []float32 // one per pair of a preference batch, or per row of a supervised one; padding has weight 0
}

// units returns the number of losses that the batch has room for: one per pair, or one per row.
func (b weightedBatch) units() int {
	if b.ChosenSafe != nil {
		return b.Responses / 2
	}
	return b.Responses
}

// batchField is one tensor of a batch: its shape, its values on the host and its node in a graph.
type batchField struct {
	dims   func(s batch.Shape, units int) []int
	values func(b weightedBatch) any // []int32 or []float32
	node   func(n *batchNodes) **Node
}

// batchFields is the table of a batch's tensors. Every program takes the tensors in this order, which is defined only
// here. precomputed adds the reference log-probabilities that the batch carries.
func batchFields(precomputed bool) []batchField {
	rows := func(s batch.Shape, _ int) []int { return []int{s.Rows, s.Length} }
	targets := func(s batch.Shape, _ int) []int { return []int{s.Targets} }
	perUnit := func(_ batch.Shape, units int) []int { return []int{units} }
	fields := []batchField{
		{rows, func(b weightedBatch) any { return b.Tokens }, func(n *batchNodes) **Node { return &n.Tokens }},
		{rows, func(b weightedBatch) any { return b.Positions }, func(n *batchNodes) **Node { return &n.Positions }},
		{rows, func(b weightedBatch) any { return b.Segments }, func(n *batchNodes) **Node { return &n.Segments }},
		{targets, func(b weightedBatch) any { return b.Index }, func(n *batchNodes) **Node { return &n.index }},
		{targets, func(b weightedBatch) any { return b.Labels }, func(n *batchNodes) **Node { return &n.labels }},
		{targets, func(b weightedBatch) any { return b.Owner }, func(n *batchNodes) **Node { return &n.owner }},
		{
			perUnit,
			func(b weightedBatch) any { return padded(b.weights, b.units()) },
			func(n *batchNodes) **Node { return &n.weight },
		},
		{
			perUnit,
			func(b weightedBatch) any { return indicator(b.ChosenSafe, b.units()) },
			func(n *batchNodes) **Node { return &n.chosenSafe },
		},
		{
			perUnit,
			func(b weightedBatch) any { return indicator(b.RejectedSafe, b.units()) },
			func(n *batchNodes) **Node { return &n.rejectedSafe },
		},
	}
	if precomputed {
		fields = append(fields, batchField{
			targets, func(b weightedBatch) any { return b.Reference }, func(n *batchNodes) **Node { return &n.reference },
		})
	}
	return fields
}

// padded extends weights by zeros to length n.
func padded(weights []float32, n int) []float32 {
	out := make([]float32, n)
	copy(out, weights)
	return out
}

// indicator returns 1 for each true label and 0 for the others and for padding up to length n.
func indicator(labels []bool, n int) []float32 {
	out := make([]float32, n)
	for i, label := range labels {
		if label {
			out[i] = 1
		}
	}
	return out
}

// tensorsOf copies a batch into the tensors that a program takes.
func tensorsOf(b weightedBatch) []*tensors.Tensor {
	var inputs []*tensors.Tensor
	for _, f := range batchFields(b.Reference != nil) {
		dims := f.dims(b.Shape, b.units())
		switch values := f.values(b).(type) {
		case []int32:
			inputs = append(inputs, tensors.FromFlatDataAndDimensions(values, dims...))
		case []float32:
			inputs = append(inputs, tensors.FromFlatDataAndDimensions(values, dims...))
		}
	}
	return inputs
}

// inputsOf copies one batch per device into program inputs; weights are nil where no loss is weighed.
func inputsOf(batches []batch.Batch, weights [][]float32) device.Group {
	group := make(device.Group, len(batches))
	for i, b := range batches {
		var own []float32
		if weights != nil {
			own = weights[i]
		}
		group[i] = tensorsOf(weightedBatch{b, own})
	}
	return group
}

// batchShapes returns the shapes of tensorsOf for a batch of the given shape. The type of a field's values tells the
// type of its tensor, so an empty batch is enough to ask for it.
func batchShapes(s batch.Shape, units int, precomputed bool) []shapes.Shape {
	var inputs []shapes.Shape
	for _, f := range batchFields(precomputed) {
		dtype := dtypes.Int32
		if _, ok := f.values(weightedBatch{}).([]float32); ok {
			dtype = dtypes.Float32
		}
		inputs = append(inputs, shapes.Make(dtype, f.dims(s, units)...))
	}
	return inputs
}

// batchNodes is a batch inside a graph.
type batchNodes struct {
	mistral.Input                  // [B,S] tokens, positions, segments
	index, labels, owner     *Node // [N] int32
	weight                   *Node // [units] f32
	chosenSafe, rejectedSafe *Node // [units] f32, of the pairs; zeros for supervised text
	reference                *Node // [N] f32; nil where the program computes the reference log-probabilities itself
	responses                int   // R
}

// newBatchNodes names the nodes of a batch; each of its units, a pair or a row, has perUnit responses.
func newBatchNodes(in []*Node, perUnit int) batchNodes {
	var b batchNodes
	for i, f := range batchFields(len(in) > len(batchFields(false))) {
		*f.node(&b) = in[i]
	}
	b.responses = perUnit * b.weight.Shape().Dimensions[0]
	return b
}

// sumPerResponse sums a value per target [N] over the targets of each response: [R].
func (b batchNodes) sumPerResponse(x *Node) *Node {
	owns := OneHot(b.owner, b.responses, dtypes.Float32) // [N,R]; padding targets have owner -1 and belong to no response
	return ReduceSum(Mul(InsertAxes(x, -1), owns), 0)
}
