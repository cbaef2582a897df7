package graph

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// Linear returns x w^T for x [..., in] and w [out, in] of one dtype (the layout of Hugging Face checkpoints): [..., out].
func Linear(x, w *Node) *Node {
	dims := x.Shape().Dimensions
	in, last := w.Shape().Dimensions[1], len(dims)-1
	if dims[last] != in {
		exceptions.Panicf("linear layer of %s applied to %s", w.Shape(), x.Shape())
	}
	y := product(Reshape(x, -1, in), w, x.DType()) // [tokens, out]
	return Reshape(y, append(append([]int{}, dims[:last]...), -1)...)
}

// product contracts the last axes of a [..., M, C] and b [..., N, C], both of one dtype and with the same leading axes, to
// [..., M, N] in dtype out. It accumulates in float32.
//
// In float32 the gradient is GoMLX's. In half precision GoMLX would convert all operands of the backward pass to float32,
// which costs the speed; here the adjoint dy is rounded instead and meets the other operand as it is:
//
//	da = dy b,  db = dy^T a
func product(a, b *Node, out dtypes.DType) *Node {
	last := a.Rank() - 1
	if !a.DType().IsHalfPrecision() {
		return ConvertDType(contract(a, last, b, last, a.DType()), out)
	}
	if a.Shape().Dim(last-1) == 1 {
		// A single row, as when one text is generated, takes XLA's CPU seven times as long as two rows take.
		y := product(Concatenate([]*Node{a, a}, last-1), b, out)
		return SliceAxis(y, last-1, AxisElem(0))
	}

	dtype := a.DType()
	return withGradient(
		func(in []*Node) *Node { return contract(in[0], last, in[1], last, out) },
		func(in []*Node, dy *Node) []*Node {
			dy = ConvertDType(dy, dtype)
			return []*Node{contract(dy, last, in[1], last-1, dtype), contract(dy, last-1, in[0], last-1, dtype)}
		}, a, b)
}

// contract multiplies a and b over one axis of each; all axes before the last two are batch axes.
//
// The accumulator is left to XLA, which takes float32 for half precision: asking for it by name makes go-xla copy the weights.
func contract(a *Node, axisA int, b *Node, axisB int, out dtypes.DType) *Node {
	batch := make([]int, a.Rank()-2)
	for i := range batch {
		batch[i] = i
	}
	dot := Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType)
	if out != a.DType() {
		dot = dot.WithOutputDType(out)
	}
	return dot.General([]int{axisA}, batch, []int{axisB}, batch)
}
