package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// hasAttentionCall reports whether package pjrt may replace attention for queries q [B, S, H, hd] by a kernel call.
func hasAttentionCall(q *Node) bool {
	return (q.DType() == dtypes.BFloat16 || q.DType() == dtypes.Float32) && fitsKernels(q.Shape().Dim(3)) && !onGPU(q)
}

// callAttention is SelfAttention that package pjrt replaces by kernel calls, forward and backward, if the processor has
// the kernels. Otherwise it is computed as built here.
func (w Weights) callAttention(q, k, v, mask *Node) *Node {
	b, s := q.Shape().Dim(0), q.Shape().Dim(1)
	mask = BroadcastToDims(mask, b, s, s)
	return withGradient(func(in []*Node) *Node {
		y := attendInBlocks(in[0], in[1], in[2], mask)
		return markCall(mlir.AttentionMarker, []*Node{y}, in[0], in[1], in[2], mask)[0]
	}, func(in []*Node, dy *Node) []*Node {
		if w.inRemat {
			in = separate(in)
		} else {
			in, dy = delayUntil(dy, in)
		}
		gradients := Gradient(ReduceAllSum(Mul(attendInBlocks(in[0], in[1], in[2], mask), dy)), in...)
		return markCall(mlir.AttentionGradientMarker, gradients, in[0], in[1], in[2], mask, dy)
	}, q, k, v)
}
