package graph

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// The axes of a mesh as GoMLX knows them.
const (
	axisReplicas = "data"
	axisShards   = "fsdp"
)

// shardKey is where a graph keeps the node of the number of its device's part.
type shardKey struct{}

// spread lets g run on the mesh's devices, each for itself until a collective operation.
func (m *Mesh) spread(g *Graph) error {
	if m == nil {
		return nil
	}
	mesh, err := distributed.NewDeviceMesh([]int{m.Replicas, m.Shards}, []string{axisReplicas, axisShards})
	if err != nil {
		return err
	}
	return g.SetSPMD(mesh)
}

// number adds the parameter that tells a device the number of its part.
func (m *Mesh) number(g *Graph) {
	g.AttachState(shardKey{}, Parameter(g, mlir.ShardName, shapes.Make(dtypes.Int32)))
}

// start is where the device's part begins in a whole tensor of this rank, with rows in each part.
func (m *Mesh) start(g *Graph, rows, rank int) []*Node {
	number, ok := g.State(shardKey{}).(*Node)
	if !ok {
		exceptions.Panicf("graph %q was not built for a mesh that cuts tensors", g.Name())
	}
	start := []*Node{Mul(number, Const(g, int32(rows)))}
	for len(start) < rank {
		start = append(start, Const(g, int32(0)))
	}
	return start
}

// gather puts the parts x [rows, ...] of all shards together: [Shards*rows, ...]. No gradient passes.
//
// GoMLX has no such operation. It has sums over devices, and all parts laid in zeros add up to the whole; package pjrt hands XLA the
// all-gather that this is.
func (m *Mesh) gather(x *Node) *Node {
	whole := x.Shape().Clone()
	whole.Dimensions[0] *= m.Shards
	laid := DynamicUpdateSlice(Zeros(x.Graph(), whole), x, m.start(x.Graph(), x.Shape().Dimensions[0], x.Rank()))
	return StopGradient(m.sumShards(laid))
}

// scatter sums x [Shards*rows, ...] over the shards and leaves each its part: [rows, ...]. Package pjrt makes it the reduce-scatter that
// it is.
func (m *Mesh) scatter(x *Node) *Node {
	part := x.Shape().Clone()
	part.Dimensions[0] /= m.Shards
	return DynamicSlice(m.sumShards(x), m.start(x.Graph(), part.Dimensions[0], x.Rank()), part.Dimensions)
}

func (m *Mesh) sumShards(x *Node) *Node {
	return x.Graph().Distributed().Along(axisShards).AllReduceOne(x, compute.ReduceOpSum)
}

// Sum adds up what the devices hold of values that lie as the tensors like do: of a part, what the replicas hold; else what all devices do.
func (m *Mesh) Sum(xs []*Node, like *Tensors) []*Node {
	sums := append([]*Node{}, xs...)
	for _, parts := range []bool{false, true} {
		axes := []string{axisReplicas, axisShards}
		if parts {
			axes = axes[:1]
		}
		if m.Devices() == 1 || parts && m.Replicas == 1 {
			continue
		}
		var places []int
		var terms []*Node
		for i, x := range xs {
			if like.IsCut(i) == parts {
				places, terms = append(places, i), append(terms, x)
			}
		}
		if len(terms) == 0 {
			continue
		}
		for i, sum := range terms[0].Graph().Distributed().Along(axes...).AllReduce(terms, compute.ReduceOpSum) {
			sums[places[i]] = sum
		}
	}
	return sums
}

// GlobalNorm is the function of that name for gradients that lie as the tensors like do.
func (m *Mesh) GlobalNorm(grads []*Node, like *Tensors) *Node {
	var parts, wholes []*Node
	for i, grad := range grads {
		if like.IsCut(i) {
			parts = append(parts, grad)
		} else {
			wholes = append(wholes, grad)
		}
	}
	if len(parts) == 0 {
		return GlobalNorm(grads)
	}
	total := m.sumShards(sumOfSquares(parts))
	if len(wholes) > 0 {
		total = Add(total, sumOfSquares(wholes))
	}
	return Sqrt(total)
}
