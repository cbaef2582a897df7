package mistral

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// decoderLayer is one layer of the network, numbered from 0. On the residual stream x [B, S, D] it computes
//
//	x = x + O attention(rotate(Q n), rotate(K n), V n)   with n = norm(x)    (projectQKV, attentionResidual)
//	x = x + down(silu(gate n) * up n)                    with n = norm(x)    (mlpResidual)
//
// The caller computes the attention between projectQKV and attentionResidual.
//
// The residual stream stays in float32 whatever the layer computes in: it is a sum over all layers, which half
// precision would round at each of them.
type decoderLayer struct {
	config.Config
	weights graph.Weights
	layer   int
}

// projectQKV returns the rotated queries [B, S, H, hd], the rotated keys and the values, both [B, S, K, hd], of x
// [B, S, D].
func (l decoderLayer) projectQKV(x *Node, rotary graph.Rotary) (q, k, v *Node) {
	n := l.norm(x, config.InputNorm)
	project := func(part string, heads int) *Node { return splitHeads(l.linear(n, part, l.computeDType()), heads) }
	q = rotary.Apply(project(config.QProj, l.NumAttentionHeads))
	k = rotary.Apply(project(config.KProj, l.NumKeyValueHeads))
	return q, k, project(config.VProj, l.NumKeyValueHeads)
}

// attentionResidual returns x [..., D] plus the output projection of the attention output [..., H*hd].
func (l decoderLayer) attentionResidual(x, attentionOutput *Node) *Node {
	return Add(x, l.linear(attentionOutput, config.OProj, dtypes.Float32))
}

// mlpResidual returns x [..., D] plus the MLP's output.
func (l decoderLayer) mlpResidual(x *Node) *Node {
	n := l.norm(x, config.PostAttentionNorm)
	gate := l.linear(n, config.GateProj, l.computeDType()) // [..., F]
	up := l.linear(n, config.UpProj, l.computeDType())     // [..., F]
	return Add(x, l.linear(graph.SwiGLU(gate, up), config.DownProj, dtypes.Float32))
}

// computeDType returns the dtype of the computation.
func (l decoderLayer) computeDType() dtypes.DType {
	return l.weights.Get(config.LayerTensorName(l.layer, config.QProj)).DType()
}

// norm applies one of the layer's norms.
func (l decoderLayer) norm(x *Node, part string) *Node {
	return ConvertDType(l.weights.RMSNorm(x, config.LayerTensorName(l.layer, part), l.RMSNormEps), l.computeDType())
}

// linear multiplies x by one of the layer's matrices. The result has the given dtype.
func (l decoderLayer) linear(x *Node, part string, dtype dtypes.DType) *Node {
	return l.weights.Linear(x, config.LayerTensorName(l.layer, part), dtype)
}

// splitHeads reshapes [B, S, heads*hd] to [B, S, heads, hd].
func splitHeads(x *Node, heads int) *Node {
	b, s := x.Shape().Dim(0), x.Shape().Dim(1)
	return Reshape(x, b, s, heads, -1)
}
