package graph

import (
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt"
)

// onGPU tells whether x is computed on a GPU; only there GoMLX reports the gradient of fused attention (cuDNN).
func onGPU(x *Node) bool {
	return x.Graph().Backend().Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttentionVJP]
}

// markCall tells package pjrt that results are a known function of in, so that it can replace their computation by one
// kernel call. The sign is an optimization barrier over results and in whose last operand is the mark. Without a kernel
// the results are computed as they are built.
func marked(mark int32, results []*Node, in ...*Node) []*Node {
	operands := append(slices.Clone(results), stopGradients(in)...)
	return OptimizationBarriers(append(operands, Const(in[0].Graph(), mark))...)[:len(results)]
}

// fitsKernels tells whether kernels take a matrix or head of width n.
func divides(n int) bool { return n%pjrt.CallWidth == 0 }
