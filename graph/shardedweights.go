package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/device"
)

// gather returns the whole weight of a shard, in the view's dtype.
func (w Weights) gather(shard *Node, trained bool) *Node {
	if !trained {
		return allGather(w.mesh, w.cast(shard))
	}
	return withGradient(
		func(in []*Node) *Node { return carryGradient(w.mesh, in[0], allGather(w.mesh, w.cast(in[0]))) },
		func(in []*Node, dy *Node) []*Node { return []*Node{scatterGradient(w.mesh, dy, in[0])} },
		shard)
}

// carryGradient returns whole, with a path for GoMLX's gradient to the shard that it was gathered from: the collective
// sum inside allGather has no gradient. XLA removes the path, since the condition is a constant.
func carryGradient(m *device.Mesh, shard, whole *Node) *Node {
	path := Concatenate(slices.Repeat([]*Node{ConvertDType(shard, whole.DType())}, m.Shards), 0)
	return Where(Const(shard.Graph(), true), whole, path)
}

// scatterGradient turns the gradient of the whole weight into the gradient of the shard, in the dtype of the shard.
func scatterGradient(m *device.Mesh, dy, shard *Node) *Node {
	return ConvertDType(reduceScatter(m, ConvertDType(dy, dtypes.Float32)), shard.DType())
}

// linearSharded is Linear for a sharded weight. It gathers the weight only when x is there, and gathers it again in the
// backward pass. Inside RematLayer the backward pass keeps the gathered weights instead: they are those of one layer.
func (w Weights) linearSharded(x *Node, name string, multiply func(a, b *Node, out dtypes.DType) *Node,
	dtype dtypes.DType) *Node {
	shard, _ := w.find(name)
	trained := w.HasMaster(name)
	gatherAfter := func(x *Node) *Node {
		return allGather(w.mesh, w.cast(OptimizationBarriers(shard, x)[0]))
	}
	var gathered *Node
	forward := func(in []*Node) *Node {
		gathered = gatherAfter(in[0])
		weight := gathered
		if trained {
			weight = carryGradient(w.mesh, in[1], gathered)
		}
		return applyToRows(in[0], weight, func(x *Node) *Node { return multiply(x, weight, dtype) })
	}
	backward := func(in []*Node, dy *Node) []*Node {
		weight := gathered
		if !w.inRemat {
			weight = gatherAfter(dy)
		}
		rows := Reshape(ConvertDType(in[0], weight.DType()), -1, weight.Shape().Dim(1))       // [tokens, in]
		dy = Reshape(ConvertDType(dy, weight.DType()), -1, weight.Shape().Dim(0))             // [tokens, out]
		dx := Reshape(contract(dy, 1, weight, 0, in[0].DType()), in[0].Shape().Dimensions...) // [..., in]
		if !trained {
			return []*Node{dx}
		}
		dw := contract(dy, 0, rows, 0, dtypes.Float32)         // [out, in]
		return []*Node{dx, scatterGradient(w.mesh, dw, shard)} // dw's shard: [out/Shards, in]
	}
	if !trained {
		return withGradient(forward, backward, x)
	}
	return withGradient(forward, backward, x, shard)
}
