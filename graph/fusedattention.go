package graph

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// On GPUs, half precision and training shapes, attention is cuDNN's: one call forward and one backward, which never hold the scores.
//
// Its kernels know causal masks and lengths. What our rows need besides (two answers behind one prompt, several documents) reaches them as a
// bias that is added to the scores: 0 where a query sees a key, else a number that leaves nothing of the exponential. That bias is one
// array [B, H, S, S] for the whole program, in the dtype of q; it costs memory, 1/4 GiB for a row of 2048 tokens and 32 heads, and saves
// computing each prompt twice, as rows of one sequence and a length each would.

// fusable tells whether cuDNN takes queries q [B, S, H, hd] and the masks of SelfAttention. Its limits are those of compute capability 8.0.
func fusable(q *Node) bool {
	s, width := q.Shape().Dim(1), q.Shape().Dim(3)
	return onGPU(q) && q.DType().IsHalfPrecision() && width%8 == 0 && width <= 128 && s%2 == 0
}

// onGPU tells whether x is computed on a GPU: only there cuDNN is.
func onGPU(x *Node) bool {
	return x.Graph().Backend().Capabilities().Operations[compute.OpTypeFusedScaledDotProductAttentionVJP]
}

// fusedAttention is SelfAttention by cuDNN. The backward pass keeps q, k, v, the result and one number for each query and head.
func fusedAttention(q, k, v, mask *Node) *Node {
	b, s, heads, width := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	g := q.Graph()
	bias := Where(mask, Scalar(g, dtypes.Float32, 0), Scalar(g, dtypes.Float32, hidden)) // [B, S, S]
	bias = BroadcastToDims(InsertAxes(ConvertDType(bias, q.DType()), 1), b, heads, s, s)
	mixed, _ := BackendFusedScaledDotProductAttention(q, k, v, compute.AttentionAxesLayoutBSHD, &compute.ScaledDotProductAttentionConfig{
		Scale: 1 / math.Sqrt(float64(width)), Causal: true, Bias: InternalBackendOutputs(bias)[0],
	})
	return Reshape(mixed, b, s, heads*width)
}
