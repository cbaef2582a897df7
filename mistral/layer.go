package mistral

import (
	"github.com/bfpo-go/bfpo/graph"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// decoderLayer is one block of the network, counted from 0, on x [B, S, D]:
//
//	x = x + O attend(rotate(Q n), rotate(K n), V n),   n = norm(x)
//	x = x + down(silu(gate n) * up n),                 n = norm(x)
//
// x stays in float32 whatever the layer computes in: it adds up what all layers say, and half precision would round it at each.
//
// attend receives q [B, S, H, hd] and k, v [B, S, K, hd] of the new tokens and returns their mixed values [B, S, H*hd]. It is
// the caller's because training sees the keys of the batch alone and generation those of a cache.
func decoderLayer(c Config, w graph.Weights, layer int, x *Node, rotary graph.Rotary, attend func(q, k, v *Node) *Node) *Node {
	get := func(part string) *Node { return w.Get(LayerTensor(layer, part)) }
	dtype := get(QProj).DType()
	norm := func(part string) *Node {
		return ConvertDType(w.RMSNorm(x, LayerTensor(layer, part), c.RMSNormEps), dtype)
	}
	linear := func(x *Node, part string) *Node { return w.Linear(x, LayerTensor(layer, part), dtype) }
	add := func(y *Node, part string) *Node { return Add(x, w.Linear(y, LayerTensor(layer, part), dtypes.Float32)) }

	n := norm(InputNorm)
	q := rotary.Apply(splitHeads(linear(n, QProj), c.NumAttentionHeads)) // [B, S, H, hd]
	k := rotary.Apply(splitHeads(linear(n, KProj), c.NumKeyValueHeads))  // [B, S, K, hd]
	v := splitHeads(linear(n, VProj), c.NumKeyValueHeads)                // [B, S, K, hd]
	x = add(attend(q, k, v), OProj)                                      // [B, S, D]

	n = norm(PostAttentionNorm)
	gate, up := linear(n, GateProj), linear(n, UpProj) // [B, S, F]
	h := w.Again(gated, gate, up)
	return add(h, DownProj) // [B, S, D]
}

// gated is silu(gate) * up in their dtype, computed in float32 and rounded once.
func gated(in []*Node) *Node {
	gate, up := ConvertDType(in[0], dtypes.Float32), ConvertDType(in[1], dtypes.Float32)
	return ConvertDType(Mul(silu(gate), up), in[0].DType())
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
