package graph

import . "github.com/gomlx/gomlx/core/graph"

// Remat returns f(in...). The backward pass keeps nothing of f but its inputs and recomputes the rest when it needs it
// (Chen et al. 2016, arXiv 1604.06174).
//
// Apart from saving memory, this keeps the forward pass of the trained layers independent of their backward pass. XLA
// compiles an operation differently, with different rounding, depending on what reads its result. With Remat nothing
// but the forward pass reads it, so the policy (with a backward pass) and the reference model (without one) compile to
// the same machine code, and equal weights give results that are equal to the last bit.
func Remat(f func(in []*Node) *Node, in ...*Node) *Node {
	return withGradient(f, func(in []*Node, dy *Node) []*Node {
		in, dy = delayUntil(dy, in)
		return Gradient(ReduceAllSum(Mul(f(in), dy)), in...)
	}, in...)
}

// delayUntil returns in and dy behind an optimization barrier. Whatever is computed from them waits until dy is there,
// and XLA cannot share it with the forward pass.
func delayUntil(dy *Node, in []*Node) ([]*Node, *Node) {
	delayed := OptimizationBarriers(append(in[:len(in):len(in)], dy)...)
	return delayed[:len(in)], delayed[len(in)]
}

// separate returns an identity of each node, so that GoMLX can take the gradient with respect to every one of them even
// where one was computed from another.
func separate(in []*Node) []*Node { return mapNodes(in, Identity) }

// stopGradients returns the nodes with their gradients stopped.
func stopGradients(in []*Node) []*Node { return mapNodes(in, StopGradient) }

// mapNodes applies f to every node.
func mapNodes(in []*Node, f func(*Node) *Node) []*Node {
	out := make([]*Node, len(in))
	for i, x := range in {
		out[i] = f(x)
	}
	return out
}

// withGradient returns f(in...) with a custom gradient: gradient receives in and the adjoint dy of the value, and
// returns the adjoints of in.
//
// GoMLX supports a custom gradient on an identity node, but not on a node with several inputs. Therefore one identity
// follows f, and one precedes each input. The backward pass reaches the identity behind f first and calls gradient
// there; the identities of the inputs come later and return the stored adjoints. GoMLX also builds its own gradient
// of f in between, but nothing reads it, so XLA does not compile it.
func withGradient(f func(in []*Node) *Node, gradient func(in []*Node, dy *Node) []*Node, in ...*Node) *Node {
	adjoints := make([]*Node, len(in))
	inputs := make([]*Node, len(in))
	for i, x := range in {
		inputs[i] = IdentityWithCustomGradient(x, func(_, _ *Node) *Node { return adjoints[i] })
	}
	return IdentityWithCustomGradient(f(inputs), func(_, dy *Node) *Node {
		copy(adjoints, gradient(in, dy))
		return dy
	})
}
