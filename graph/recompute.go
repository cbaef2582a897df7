package graph

import (
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Recomputed returns f(in...), of which the backward pass keeps only in: it computes the rest again when it gets there (Chen et al. 2016,
// arXiv 1604.06174).
//
// Besides memory this buys that the forward pass of what is trained has no reader but itself. XLA compiles an operation by what reads its
// result, and rounds accordingly; so the policy and the reference, one with a backward pass and one without, become the same machine
// code, and equal weights give equal numbers to the last bit.
func Recomputed(f func(in []*Node) *Node, in ...*Node) *Node {
	return withGradient(f, func(in []*Node, dy *Node) []*Node {
		in, dy = notBefore(in, dy)
		return Gradient(ReduceAllSum(Mul(f(in), dy)), in...)
	}, in...)
}

// notBefore returns in and dy such that what is computed of them is not computed before dy is there, and not shared with the forward pass.
func notBefore(in []*Node, dy *Node) ([]*Node, *Node) {
	again := OptimizationBarriers(append(in[:len(in):len(in)], dy)...)
	return again[:len(in)], again[len(in)]
}

// apart returns nodes that are as those and do not depend on each other, as a gradient with respect to all of them wants it.
func apart(in []*Node) []*Node { return each(in, Identity) }

// stopped returns nodes that no gradient passes.
func stopped(in []*Node) []*Node { return each(in, StopGradient) }

// each applies f to each of them.
func each(in []*Node, f func(*Node) *Node) []*Node {
	out := make([]*Node, len(in))
	for i, x := range in {
		out[i] = f(x)
	}
	return out
}

// Recomputed returns f(w, x) like the function of that name. f may use any weight of w, but trained ones only if their name begins with
// prefix.
func (w Weights) Recomputed(prefix string, x *Node, f func(w Weights, x *Node) *Node) *Node {
	var names []string
	in := []*Node{x}
	for _, name := range w.trained {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
			in = append(in, w.overlay[name])
		}
	}
	return Recomputed(func(in []*Node) *Node {
		inner := w
		inner.again = true
		inner.overlay = byName(names, in[1:])
		return f(inner, in[0])
	}, in...)
}

// Again returns f(in...), which the backward pass computes again; but within a layer that is computed again as a whole, see the method
// Recomputed, it keeps what it meets of that one layer: doing the same a third time would take time and save nothing.
func (w Weights) Again(f func(in []*Node) *Node, in ...*Node) *Node {
	if w.again {
		return f(in)
	}
	return Recomputed(f, in...)
}

// withGradient returns f(in...) with a gradient of our own: gradient returns the adjoints of in, given in and the adjoint dy of the value.
//
// GoMLX lets an identity node have such a gradient, but not a node of several inputs. So there is one identity behind f, which sees dy
// first, and one before each input, which come later and answer with what gradient has said. The gradient of f itself, which GoMLX forms
// between them, is read by nobody and not compiled.
func withGradient(f func(in []*Node) *Node, gradient func(in []*Node, dy *Node) []*Node, in ...*Node) *Node {
	adjoints := make([]*Node, len(in))
	open := make([]*Node, len(in))
	for i, x := range in {
		open[i] = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return adjoints[i] })
	}
	return IdentityWithCustomGradient(f(open), func(_, dy *Node) *Node {
		copy(adjoints, gradient(in, dy))
		return dy
	})
}
