package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/device"
)

// Weights is a view of named weights inside one graph: a base, and optionally an overlay that stands in front of it.
//
// The policy is the frozen base seen through the trained masters; the reference is the same base without them, so the two
// share every frozen weight. Views are values: Overlay, Base and WithDType return a new one and leave the old one as it is.
type Weights struct {
	base, overlay map[string]*Node
	trained       []string     // the overlay's names in the caller's order
	dtype         dtypes.DType // InvalidDType: as stored
	inBlocks      bool         // of float32 products, see WithoutGradient

	mesh                  *device.Mesh // see On
	cutFrozen, cutTrained map[string]bool
	again                 bool // inside a layer that the backward pass computes again
}

// NewWeights returns the view of nodes under their names, which must be distinct.
func NewWeights(names []string, nodes []*Node) Weights {
	return Weights{base: byName(names, nodes)}
}

// Overlay returns the view in which the given nodes hide the base's of the same names: the policy.
// It panics when the base has no weight of that name or one of another shape.
func (w Weights) Overlay(names []string, nodes []*Node) Weights {
	w.overlay, w.trained = byName(names, nodes), names
	for name, node := range w.overlay {
		below, found := w.base[name]
		if !found {
			exceptions.Panicf("weight %q is trained but is not part of the model", name)
		}
		if !slices.Equal(w.wholeDims(below, w.cutFrozen[name]), w.wholeDims(node, w.cutTrained[name])) {
			exceptions.Panicf("weight %q is trained with shape %s but the model has %s", name, node.Shape(), below.Shape())
		}
	}
	return w
}

// Base returns the view without the overlay: the reference.
func (w Weights) Base() Weights {
	w.overlay, w.trained = nil, nil
	return w
}

// WithDType returns the view whose Get casts matrices to dtype. Vectors (norm weights) stay as stored.
func (w Weights) WithDType(dtype dtypes.DType) Weights {
	w.dtype = dtype
	return w
}

// Get returns the weight called name, in the view's dtype; it panics when there is none.
func (w Weights) Get(name string) *Node {
	node, found := w.find(name)
	if !found {
		exceptions.Panicf("weight %q is not part of the model", name)
	}
	if w.cut(name) {
		return w.gathered(node, w.Trained(name))
	}
	return w.cast(node)
}

// find returns the node of the weight called name as it was given.
func (w Weights) find(name string) (node *Node, found bool) {
	if node, found = w.overlay[name]; !found {
		node, found = w.base[name]
	}
	return node, found
}

// WithoutGradient returns the view for programs that ask for no gradient: what Linear computes in float32 is then as exact as PyTorch's,
// for up to as much time again (SmolLM2 on two cores, rows of 256 tokens).
func (w Weights) WithoutGradient() Weights {
	w.inBlocks = true
	return w
}

// Linear returns x W^T for x [..., in] and the weight called name, W [out, in], as dtype: [..., out].
func (w Weights) Linear(x *Node, name string, dtype dtypes.DType) *Node {
	multiply := product
	if w.inBlocks {
		multiply = productInBlocks
	}
	if w.cut(name) {
		return w.linearCut(x, name, multiply, dtype)
	}
	weight := w.Get(name)
	return onRows(x, weight, func(x *Node) *Node { return multiply(x, weight, dtype) })
}

// Trained says whether the overlay holds the weight called name.
func (w Weights) Trained(name string) bool {
	_, found := w.overlay[name]
	return found
}

func byName(names []string, nodes []*Node) map[string]*Node {
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
