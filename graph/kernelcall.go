package graph

import (
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// onGPU reports whether x is computed on a GPU. GoMLX lists the gradient of fused attention, which is cuDNN's, for
// GPUs only.
func onGPU(x *Node) bool {
	return x.Graph().Backend().Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttentionVJP]
}

// markCall tells package pjrt that results are a known function of in, so that it can replace their computation by
// one kernel call. The mark is the last operand of an optimization barrier over results and in. Without a kernel,
// XLA computes the results as they are built.
func markCall(mark int32, results []*Node, in ...*Node) []*Node {
	operands := append(slices.Clone(results), stopGradients(in)...)
	return OptimizationBarriers(append(operands, Const(in[0].Graph(), mark))...)[:len(results)]
}

// fitsKernels reports whether kernels take a matrix or head of width n.
func fitsKernels(n int) bool { return n%mlir.CallWidth == 0 }
