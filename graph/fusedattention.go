package graph

import (
	"math"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// On GPUs, in half precision and at the shapes of training, attention is one cuDNN call forward and one backward. They
// never store the scores.
//
// cuDNN's kernels know only causal masks and sequence lengths. The rest of our masks (two responses behind one
// prompt, several documents in a row) becomes a bias that is added to the scores: 0 where a query attends to a key,
// otherwise so low that the exponential vanishes. The bias is one array [B, H, S, S] in q's dtype for the whole
// program. It takes 1/4 GiB for a row of 2048 tokens and 32 heads. Without it, each row could hold only one
// sequence, and every prompt would be computed twice.

// fusable reports whether cuDNN takes queries q [B, S, H, hd]; the limits are those of compute capability 8.0.
func fusable(q *Node) bool {
	s, width := q.Shape().Dim(1), q.Shape().Dim(3)
	return onGPU(q) && q.DType().IsHalfPrecision() && width%8 == 0 && width <= 128 && s%2 == 0
}

// fusedAttention is SelfAttention by cuDNN. The backward pass keeps q, k, v, the result, and one number per query and
// head.
func fusedAttention(q, k, v, mask *Node) *Node {
	b, s, heads, width := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	g := q.Graph()
	bias := Where(mask, Scalar(g, dtypes.Float32, 0), Scalar(g, dtypes.Float32, maskedScore)) // [B, S, S]
	bias = BroadcastToDims(InsertAxes(ConvertDType(bias, q.DType()), 1), b, heads, s, s)
	config := &compute.ScaledDotProductAttentionConfig{
		Scale: 1 / math.Sqrt(float64(width)), Causal: true, Bias: InternalBackendOutputs(bias)[0],
	}
	output, _ := BackendFusedScaledDotProductAttention(q, k, v, compute.AttentionAxesLayoutBSHD, config)
	return Reshape(output, b, s, heads*width)
}
