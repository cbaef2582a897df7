package graph

import (
	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/device"
)

// shardStart returns the indices at which the device's shard begins in a whole tensor of the given rank, where every
// shard has the given number of rows.
func shardStart(g *Graph, rows, rank int) []*Node {
	start := []*Node{Mul(device.ShardNumber(g), Const(g, int32(rows)))}
	for len(start) < rank {
		start = append(start, Const(g, int32(0)))
	}
	return start
}

// allGather concatenates the shards x [rows, ...] of all devices along the first axis: [Shards*rows, ...]. No gradient
// passes through it.
//
// GoMLX has sums over devices but no all-gather. Here every device pads its shard with zeros to the whole shape, and
// the sum over devices is the whole tensor. Package pjrt rewrites this pattern into XLA's all-gather.
func allGather(m *device.Mesh, x *Node) *Node {
	whole := x.Shape().Clone()
	whole.Dimensions[0] *= m.Shards
	padded := DynamicUpdateSlice(Zeros(x.Graph(), whole), x, shardStart(x.Graph(), x.Shape().Dimensions[0], x.Rank()))
	return StopGradient(sumShards(padded))
}

// reduceScatter sums x [Shards*rows, ...] over the devices that hold shards and returns the device's own rows of the
// sum: [rows, ...]. Package pjrt rewrites the sum and the slice into XLA's reduce-scatter.
func reduceScatter(m *device.Mesh, x *Node) *Node {
	shard := x.Shape().Clone()
	shard.Dimensions[0] /= m.Shards
	return DynamicSlice(sumShards(x), shardStart(x.Graph(), shard.Dimensions[0], x.Rank()), shard.Dimensions)
}

// sumShards sums x over the devices of one replica, which hold all shards.
func sumShards(x *Node) *Node {
	return x.Graph().Distributed().Along(device.AxisShards).AllReduceOne(x, compute.ReduceOpSum)
}

// AllReduceSum sums each of xs over the devices of a mesh. xs[i] is sharded if tensor i of like is: then it is summed
// over the replicas of its shard, else over all devices. On one device it returns xs.
func AllReduceSum(m *device.Mesh, xs []*Node, like *device.TensorSet) []*Node {
	sums := append([]*Node{}, xs...)
	for _, sharded := range []bool{false, true} {
		axes := []string{device.AxisReplicas, device.AxisShards}
		if sharded {
			axes = axes[:1]
		}
		if m.Devices() == 1 || sharded && m.Replicas == 1 {
			continue
		}
		var indices []int
		var terms []*Node
		for i, x := range xs {
			if like.IsSharded(i) == sharded {
				indices, terms = append(indices, i), append(terms, x)
			}
		}
		if len(terms) == 0 {
			continue
		}
		for i, sum := range terms[0].Graph().Distributed().Along(axes...).AllReduce(terms, compute.ReduceOpSum) {
			sums[indices[i]] = sum
		}
	}
	return sums
}

// GlobalNormOnMesh is GlobalNorm on a mesh; grads[i] is sharded if tensor i of like is.
func GlobalNormOnMesh(grads []*Node, like *device.TensorSet) *Node {
	var sharded, replicated []*Node
	for i, grad := range grads {
		if like.IsSharded(i) {
			sharded = append(sharded, grad)
		} else {
			replicated = append(replicated, grad)
		}
	}
	if len(sharded) == 0 {
		return GlobalNorm(grads)
	}
	total := sumShards(sumOfSquares(sharded))
	if len(replicated) > 0 {
		total = Add(total, sumOfSquares(replicated))
	}
	return Sqrt(total)
}
