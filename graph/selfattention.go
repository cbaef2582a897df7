package graph

import . "github.com/gomlx/gomlx/core/graph"

// SelfAttention is Attention among the tokens of a row: q [B, S, H, hd], k and v [B, S, K, hd]. mask [B, S, S] must
// allow no later key and must allow every token itself, as the Mask of one Layout with itself does.
//
// It is one cuDNN call on GPUs and one kernel call on CPUs where these fit; elsewhere it is built from products, and
// the backward pass recomputes it.
func (w Weights) SelfAttention(q, k, v, mask *Node) *Node {
	if fusable(q) {
		return fusedAttention(q, k, v, mask)
	}
	if hasAttentionCall(q) {
		return w.callAttention(q, k, v, mask)
	}
	return w.Remat(func(in []*Node) *Node { return attendInBlocks(in[0], in[1], in[2], mask) }, q, k, v)
}
