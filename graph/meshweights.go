package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/device"
)

// On returns the view of weights that lie on devices as base and overlay do, which may be cut. Call it before Overlay. Whoever asks for a
// weight gets it whole: it is put together where it is used, and its gradient is summed over the devices that share it and cut again.
func (w Weights) On(base, overlay *device.Tensors) Weights {
	w.mesh = base.Mesh
	w.cutFrozen, w.cutTrained = cutNames(base), cutNames(overlay)
	return w
}

// cutNames returns the names of the sharded tensors.
func cutNames(ts *device.Tensors) map[string]bool {
	names := map[string]bool{}
	for i, name := range ts.Names {
		if ts.IsCut(i) {
			names[name] = true
		}
	}
	return names
}

// cut tells whether the weight called name is a part of its rows.
func (w Weights) cut(name string) bool {
	if w.Trained(name) {
		return w.cutTrained[name]
	}
	return w.cutFrozen[name]
}

// wholeDims are the dimensions of the weight of which node is all, or a part where cut.
func (w Weights) wholeDims(node *Node, cut bool) []int {
	dims := slices.Clone(node.Shape().Dimensions)
	if cut {
		dims[0] *= w.mesh.Shards
	}
	return dims
}

// gathered returns the weight whose part is given, in the view's dtype.
func (w Weights) gathered(part *Node, trained bool) *Node {
	if !trained {
		return allGather(w.mesh, w.cast(part))
	}
	return withGradient(
		func(in []*Node) *Node { return carryGradient(w.mesh, in[0], allGather(w.mesh, w.cast(in[0]))) },
		func(in []*Node, dy *Node) []*Node { return []*Node{scatterGradient(w.mesh, dy, in[0])} },
		part)
}

// carryGradient returns whole with a path for GoMLX's gradient to the shard that it was gathered from, since a sum over devices has none.
// XLA never sees the path: the condition is a constant.
func carryGradient(m *device.Mesh, part, whole *Node) *Node {
	path := Concatenate(slices.Repeat([]*Node{ConvertDType(part, whole.DType())}, m.Shards), 0)
	return Where(Const(part.Graph(), true), whole, path)
}

// scatterGradient turns the gradient of the whole weight into the gradient of the shard, in the dtype of the shard.
func scatterGradient(m *device.Mesh, dy, part *Node) *Node {
	return ConvertDType(reduceScatter(m, ConvertDType(dy, dtypes.Float32)), part.DType())
}

// cast returns a matrix in the view's dtype.
func (w Weights) cast(x *Node) *Node {
	if w.dtype != dtypes.InvalidDType && x.Rank() > 1 && x.DType() != w.dtype {
		x = ConvertDType(x, w.dtype)
	}
	return x
}

// linearCut is Linear for a weight of which each device has a part. The whole is put together when x is there, and not before; the backward
// pass does so again when it gets there, except within a layer that is computed again: there it keeps the weights of that one layer.
func (w Weights) linearCut(x *Node, name string, multiply func(a, b *Node, out dtypes.DType) *Node, dtype dtypes.DType) *Node {
	part, _ := w.find(name)
	trained := w.Trained(name)
	whole := func(part, after *Node) *Node {
		late := OptimizationBarriers(part, after)[0]
		return allGather(w.mesh, w.cast(late))
	}
	var kept *Node
	forward := func(in []*Node) *Node {
		kept = whole(part, in[0])
		weight := kept
		if trained {
			weight = carryGradient(w.mesh, in[1], kept)
		}
		return onRows(in[0], weight, func(x *Node) *Node { return multiply(x, weight, dtype) })
	}
	backward := func(in []*Node, dy *Node) []*Node {
		weight := kept
		if !w.again {
			weight = whole(part, dy)
		}
		rows := Reshape(ConvertDType(in[0], weight.DType()), -1, weight.Shape().Dim(1))       // [tokens, in]
		dy = Reshape(ConvertDType(dy, weight.DType()), -1, weight.Shape().Dim(0))             // [tokens, out]
		dx := Reshape(contract(dy, 1, weight, 0, in[0].DType()), in[0].Shape().Dimensions...) // [..., in]
		if !trained {
			return []*Node{dx}
		}
		return []*Node{dx, scatterGradient(w.mesh, contract(dy, 0, rows, 0, dtypes.Float32), part)} // [out/Shards, in]
	}
	if !trained {
		return withGradient(forward, backward, x)
	}
	return withGradient(forward, backward, x, part)
}
