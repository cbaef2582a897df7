package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/device"
)

// Weights is a view of named weights inside one graph: base weights and, optionally, masters that replace some of them.
//
// The policy is the base weights with the trained masters in front; the reference model is the same base weights
// without the masters, so both share every frozen weight. Views are values: a method that changes a setting returns a
// new view and leaves the old one as it is.
type Weights struct {
	base, masters map[string]*Node
	masterNames   []string     // in the caller's order
	dtype         dtypes.DType // InvalidDType: as stored
	inference     bool         // see ForInference

	mesh                        *device.Mesh // see OnMesh
	shardedBase, shardedMasters map[string]bool
	inRemat                     bool // inside a layer that the backward pass recomputes as a whole
}

// NewWeights returns a view of nodes by their names, which must be distinct.
func NewWeights(names []string, nodes []*Node) Weights {
	return Weights{base: nodesByName(names, nodes)}
}

// WithMasters returns the view in which the given nodes replace the base weights of the same names: the policy. It
// panics if the base has no weight of a name, or one of another shape.
func (w Weights) WithMasters(names []string, nodes []*Node) Weights {
	w.masters, w.masterNames = nodesByName(names, nodes), names
	for name, node := range w.masters {
		base, found := w.base[name]
		if !found {
			exceptions.Panicf("weight %q is trained but is not part of the model", name)
		}
		if !slices.Equal(w.wholeDims(base, w.shardedBase[name]), w.wholeDims(node, w.shardedMasters[name])) {
			exceptions.Panicf("weight %q is trained with shape %s but the model has %s",
				name, node.Shape(), base.Shape())
		}
	}
	return w
}

// Base returns the view without masters: the reference model.
func (w Weights) Base() Weights {
	w.masters, w.masterNames = nil, nil
	return w
}

// WithDType returns the view whose Get casts matrices to dtype. Vectors (norm weights) stay as stored.
func (w Weights) WithDType(dtype dtypes.DType) Weights {
	w.dtype = dtype
	return w
}

// ForInference returns the view for programs without gradients: its float32 products are as exact as PyTorch's and take
// up to twice the time (measured with SmolLM2 on two cores, rows of 256 tokens).
func (w Weights) ForInference() Weights {
	w.inference = true
	return w
}

// OnMesh returns the view for weights that are sharded as base and masters are. Call it before WithMasters. Get and
// Linear then gather a sharded weight where it is used; its gradient is summed over the devices and sharded again.
func (w Weights) OnMesh(base, masters *device.TensorSet) Weights {
	w.mesh = base.Mesh
	w.shardedBase, w.shardedMasters = shardedNames(base), shardedNames(masters)
	return w
}

// shardedNames returns the names of the sharded tensors.
func shardedNames(ts *device.TensorSet) map[string]bool {
	names := map[string]bool{}
	for i, name := range ts.Names {
		if ts.IsSharded(i) {
			names[name] = true
		}
	}
	return names
}

// HasMaster reports whether the weight called name is trained.
func (w Weights) HasMaster(name string) bool {
	_, found := w.masters[name]
	return found
}

// find returns the node of the weight called name as the caller passed it: a shard if the weight is sharded.
func (w Weights) find(name string) (node *Node, found bool) {
	if node, found = w.masters[name]; !found {
		node, found = w.base[name]
	}
	return node, found
}

// isSharded reports whether each device has only a shard of the weight called name.
func (w Weights) isSharded(name string) bool {
	if w.HasMaster(name) {
		return w.shardedMasters[name]
	}
	return w.shardedBase[name]
}

// wholeDims returns the dimensions of the whole weight, given its node on one device.
func (w Weights) wholeDims(node *Node, sharded bool) []int {
	dims := slices.Clone(node.Shape().Dimensions)
	if sharded {
		dims[0] *= w.mesh.Shards
	}
	return dims
}

// cast returns a matrix in the view's dtype, and a vector as it is.
func (w Weights) cast(x *Node) *Node {
	if w.dtype != dtypes.InvalidDType && x.Rank() > 1 && x.DType() != w.dtype {
		x = ConvertDType(x, w.dtype)
	}
	return x
}

// nodesByName returns nodes by their names, and panics if a name appears twice.
func nodesByName(names []string, nodes []*Node) map[string]*Node {
	if len(names) != len(nodes) {
		exceptions.Panicf("%d weight names for %d nodes", len(names), len(nodes))
	}
	m := make(map[string]*Node, len(names))
	for i, name := range names {
		if m[name] != nil {
			exceptions.Panicf("weight %q is given twice", name)
		}
		m[name] = nodes[i]
	}
	return m
}
