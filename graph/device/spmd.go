package device

import (
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// The names of a mesh's axes in GoMLX.
const (
	AxisReplicas = "data"
	AxisShards   = "fsdp"
)

// shardKey is the key under which a graph stores the parameter with the device's shard number.
type shardKey struct{}

// setSPMD makes g an SPMD graph: every device of the mesh runs it on its own data and meets the others only in
// collective operations.
func (m *Mesh) setSPMD(g *Graph) error {
	if m == nil {
		return nil
	}
	mesh, err := distributed.NewDeviceMesh([]int{m.Replicas, m.Shards}, []string{AxisReplicas, AxisShards})
	if err != nil {
		return err
	}
	return g.SetSPMD(mesh)
}

// addShardNumber adds the parameter that holds each device's shard number.
func (m *Mesh) addShardNumber(g *Graph) {
	g.AttachState(shardKey{}, Parameter(g, mlir.ShardName, shapes.Make(dtypes.Int32)))
}

// ShardNumber returns the number of the shard that the device holds, an int32 scalar. It panics in a graph that was not
// built for a mesh with shards.
func ShardNumber(g *Graph) *Node {
	number, ok := g.State(shardKey{}).(*Node)
	if !ok {
		exceptions.Panicf("graph %q was not built for a mesh with shards", g.Name())
	}
	return number
}
