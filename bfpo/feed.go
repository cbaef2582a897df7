package bfpo

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral"
)

// The segments of a batch and the attention mask use the same number of bits for a branch: one of these constants would be
// negative otherwise, and no uint.
const (
	_ = uint(datasets.BranchBits - graph.BranchBits)
	_ = uint(graph.BranchBits - datasets.BranchBits)
)

// feed carries a batch onto the device side: the one door between package datasets, which knows no tensors, and the programs.
//
// weights are the factors of the batch's losses in its optimizer step: one per pair of a preference batch, one per row of a supervised
// one. Padding pairs and rows get weight 0, so a ragged last batch runs through the same program.
func feed(b datasets.Batch, weights []float32) []*tensors.Tensor {
	rows := func(ids []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(ids, b.Rows, b.Length) }
	targets := func(ids []int32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(ids, b.Targets) }
	units := b.Responses
	if b.ChosenSafe != nil {
		units /= 2
	}
	padded := make([]float32, units)
	copy(padded, weights)
	fed := []*tensors.Tensor{
		rows(b.Tokens), rows(b.Positions), rows(b.Segments),
		targets(b.Index), targets(b.Labels), targets(b.Owner),
		tensors.FromFlatDataAndDimensions(padded, units),
		tensors.FromFlatDataAndDimensions(indicator(b.ChosenSafe, units), units),
		tensors.FromFlatDataAndDimensions(indicator(b.RejectedSafe, units), units),
	}
	if b.Reference != nil {
		fed = append(fed, tensors.FromFlatDataAndDimensions(b.Reference, b.Targets))
	}
	return fed
}

// feed carries batches to their devices; weights, where not nil, are those of each batch.
func (all Batches) feed(weights [][]float32) graph.Group {
	fed := make(graph.Group, len(all))
	for device, b := range all {
		var own []float32
		if weights != nil {
			own = weights[device]
		}
		fed[device] = feed(b, own)
	}
	return fed
}

func indicator(labels []bool, n int) []float32 {
	out := make([]float32, n)
	for i, label := range labels {
		if label {
			out[i] = 1
		}
	}
	return out
}

// feedShapes are the shapes of what feed makes of a batch, with or without log-probabilities of the reference.
func feedShapes(s datasets.Shape, units int, reference bool) []shapes.Shape {
	rows := shapes.Make(dtypes.Int32, s.Rows, s.Length)
	targets := shapes.Make(dtypes.Int32, s.Targets)
	unit := shapes.Make(dtypes.Float32, units)
	fed := []shapes.Shape{rows, rows, rows, targets, targets, targets, unit, unit, unit}
	if reference {
		fed = append(fed, shapes.Make(dtypes.Float32, s.Targets))
	}
	return fed
}

// batchNodes is a fed batch inside a graph.
type batchNodes struct {
	mistral.Input                  // [B,S] tokens, positions, segments
	index, labels, owner     *Node // [N] int32
	weight                   *Node // [units] f32
	chosenSafe, rejectedSafe *Node // [P] f32
	reference                *Node // [N] f32, nil where the program computes it
	responses                int   // R
}

// perResponse sums a value of each target [N] over the targets of each response.
func (b batchNodes) perResponse(x *Node) *Node { // [responses]
	owns := OneHot(b.owner, b.responses, dtypes.Float32) // [N,responses]; padding targets have owner -1 and belong to none
	return ReduceSum(Mul(InsertAxes(x, -1), owns), 0)
}

// newBatchNodes names the nodes of what feed made; each unit of the batch, a pair or a row, has so many responses.
func newBatchNodes(in []*Node, perUnit int) batchNodes {
	b := batchNodes{
		responses: perUnit * in[6].Shape().Dimensions[0],
		Input:     mistral.Input{Tokens: in[0], Positions: in[1], Segments: in[2]},
		index:     in[3], labels: in[4], owner: in[5],
		weight: in[6], chosenSafe: in[7], rejectedSafe: in[8],
	}
	if len(in) > 9 {
		b.reference = in[9]
	}
	return b
}
