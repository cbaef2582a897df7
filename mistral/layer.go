package mistral

import (
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// layerView is one block of the network, a layer counted from 0, on x [B, S, D]:
//
//	x = x + O attend(rotate(Q n), rotate(K n), V n),   n = norm(x)    (heads, then mixed)
//	x = x + down(silu(gate n) * up n),                 n = norm(x)    (fed)
//
// x stays in float32 whatever the layer computes in: it adds up what all layers say, and half precision would round it at each.
//
// Between heads and mixed the caller attends: training sees the keys of the batch alone and generation those of a cache.
type decoderLayer struct {
	config.Config
	weights graph.Weights
	layer   int
}

// heads are the queries [B, S, H, hd] and the keys and values [B, S, K, hd] of the tokens x [B, S, D].
func (l decoderLayer) projectQKV(x *Node, rotary graph.Rotary) (q, k, v *Node) {
	n := l.norm(x, config.InputNorm)
	heads := func(part string, number int) *Node { return splitHeads(l.linear(n, part, l.computeDType()), number) }
	q = rotary.Apply(heads(config.QProj, l.NumAttentionHeads))
	k = rotary.Apply(heads(config.KProj, l.NumKeyValueHeads))
	return q, k, heads(config.VProj, l.NumKeyValueHeads)
}

// mixed is x [..., D] with what attention says, values [..., H*hd].
func (l decoderLayer) attentionResidual(x, values *Node) *Node {
	return Add(x, l.linear(values, config.OProj, dtypes.Float32))
}

// fed is x [..., D] with what the MLP says of it.
func (l decoderLayer) mlpResidual(x *Node) *Node {
	n := l.norm(x, config.PostAttentionNorm)
	gate, up := l.linear(n, config.GateProj, l.computeDType()), l.linear(n, config.UpProj, l.computeDType()) // [..., F]
	h := graph.Gated(gate, up)
	return Add(x, l.linear(h, config.DownProj, dtypes.Float32))
}

// dtype is that of the computation.
func (l decoderLayer) computeDType() dtypes.DType {
	return l.weights.Get(config.LayerTensorName(l.layer, config.QProj)).DType()
}

func (l decoderLayer) norm(x *Node, part string) *Node {
	return ConvertDType(l.weights.RMSNorm(x, config.LayerTensorName(l.layer, part), l.RMSNormEps), l.computeDType())
}

func (l decoderLayer) linear(x *Node, part string, dtype dtypes.DType) *Node {
	return l.weights.Linear(x, config.LayerTensorName(l.layer, part), dtype)
}

// splitHeads turns [B, S, heads*hd] into [B, S, heads, hd].
func splitHeads(x *Node, heads int) *Node {
	b, s := x.Shape().Dim(0), x.Shape().Dim(1)
	return Reshape(x, b, s, heads, -1)
}
