package graph

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// This file holds what the layers of a network call on Weights: reading a weight, multiplying by it, recomputation.

// Get returns the weight called name, whole and in the view's dtype. It panics if there is none.
func (w Weights) Get(name string) *Node {
	node, found := w.find(name)
	if !found {
		exceptions.Panicf("weight %q is not part of the model", name)
	}
	if w.isSharded(name) {
		return w.gather(node, w.HasMaster(name))
	}
	return w.cast(node)
}

// Linear returns x W^T, [..., out], in dtype, for x [..., in] and the weight W [out, in] called name.
func (w Weights) Linear(x *Node, name string, dtype dtypes.DType) *Node {
	multiply := product
	if w.inference {
		multiply = productInBlocks
	}
	if w.isSharded(name) {
		return w.linearSharded(x, name, multiply, dtype)
	}
	weight := w.Get(name)
	return applyToRows(x, weight, func(x *Node) *Node { return multiply(x, weight, dtype) })
}

// RematLayer returns f(w, x) for one layer of the network; the backward pass recomputes it as Remat does. f may use any
// base weight, but only those masters whose names begin with prefix.
func (w Weights) RematLayer(prefix string, x *Node, f func(w Weights, x *Node) *Node) *Node {
	var names []string
	in := []*Node{x}
	for _, name := range w.masterNames {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
			in = append(in, w.masters[name])
		}
	}
	return Remat(func(in []*Node) *Node {
		inner := w
		inner.inRemat = true
		inner.masters = nodesByName(names, in[1:])
		return f(inner, in[0])
	}, in...)
}

// Remat returns f(in...) and has the backward pass recompute it, see the function Remat. Inside RematLayer it is f
// itself: recomputing a part of a layer that is being recomputed would cost time and save nothing.
func (w Weights) Remat(f func(in []*Node) *Node, in ...*Node) *Node {
	if w.inRemat {
		return f(in)
	}
	return Remat(f, in...)
}
