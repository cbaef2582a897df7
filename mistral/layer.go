package mistral

import (
	"github.com/bfpo-go/bfpo/graph"
	. "github.com/gomlx/gomlx/core/graph"
)

// decoderLayer is one block of the network, counted from 0, on x [B, S, D]:
//
//	x = x + O attend(rotate(Q n), rotate(K n), V n),   n = norm(x)
//	x = x + down(silu(gate n) * up n),                 n = norm(x)
//
// attend receives q [B, S, H, hd] and k, v [B, S, K, hd] of the new tokens and returns their mixed values [B, S, H*hd]. It is
// the caller's because training sees the keys of the batch alone and generation those of a cache.
func decoderLayer(c Config, w graph.Weights, layer int, x *Node, rotary graph.Rotary, attend func(q, k, v *Node) *Node) *Node {
	get := func(part string) *Node { return w.Get(LayerTensor(layer, part)) }
	linear := func(x *Node, part string) *Node { return w.Linear(x, LayerTensor(layer, part)) }

	n := graph.RMSNorm(x, get(InputNorm), c.RMSNormEps)
	q := rotary.Apply(splitHeads(linear(n, QProj), c.NumAttentionHeads)) // [B, S, H, hd]
	k := rotary.Apply(splitHeads(linear(n, KProj), c.NumKeyValueHeads))  // [B, S, K, hd]
	v := splitHeads(linear(n, VProj), c.NumKeyValueHeads)                // [B, S, K, hd]
	x = Add(x, linear(attend(q, k, v), OProj))                           // [B, S, D]

	n = graph.RMSNorm(x, get(PostAttentionNorm), c.RMSNormEps)
	gate, up := linear(n, GateProj), linear(n, UpProj) // [B, S, F]
	h := graph.Recomputed(func(in []*Node) *Node { return Mul(silu(in[0]), in[1]) }, gate, up)
	return Add(x, linear(h, DownProj)) // [B, S, D]
}

// silu is x sigmoid(x). XLA's own logistic goes through tanh and loses the digits of its lower tail; the exponential keeps them, and the
// bound keeps its gradient finite where sigmoid(x) is zero in float32.
//
//	silu(x) = x / (1 + exp(-x))
func silu(x *Node) *Node {
	return Div(x, OnePlus(Exp(MinScalar(Neg(x), 80))))
}

// splitHeads turns [B, S, heads*hd] into [B, S, heads, hd].
func splitHeads(x *Node, heads int) *Node {
	b, s := x.Shape().Dim(0), x.Shape().Dim(1)
	return Reshape(x, b, s, heads, -1)
}
