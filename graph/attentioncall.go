package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// callable tells whether package pjrt may put a call into the place of attention of q [B, S, H, hd].
func callable(q *Node) bool {
	return (q.DType() == dtypes.BFloat16 || q.DType() == dtypes.Float32) && divides(q.Shape().Dim(3)) && !onGPU(q)
}

// calledAttention is SelfAttention that package pjrt computes by a call where it can, forward and backward. Else it is what stands here.
func (w Weights) calledAttention(q, k, v, mask *Node) *Node {
	b, s := q.Shape().Dim(0), q.Shape().Dim(1)
	mask = BroadcastToDims(mask, b, s, s)
	return withGradient(func(in []*Node) *Node {
		y := selfAttention(in[0], in[1], in[2], mask)
		return marked(mlir.AttentionMarker, []*Node{y}, in[0], in[1], in[2], mask)[0]
	}, func(in []*Node, dy *Node) []*Node {
		if w.again {
			in = apart(in)
		} else {
			in, dy = notBefore(in, dy)
		}
		gradients := Gradient(ReduceAllSum(Mul(selfAttention(in[0], in[1], in[2], mask), dy)), in...)
		return marked(mlir.AttentionGradientMarker, gradients, in[0], in[1], in[2], mask, dy)
	}, q, k, v)
}

// marked returns results, of which it tells package pjrt that they are a function of in: a barrier says so, whose last operand is the mark.
func marked(mark int32, results []*Node, in ...*Node) []*Node {
	operands := append(slices.Clone(results), stopped(in)...)
	return OptimizationBarriers(append(operands, Const(in[0].Graph(), mark))...)[:len(results)]
}
