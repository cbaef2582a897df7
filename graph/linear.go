package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// Linear returns x w^T for x [..., in] and w [out, in] of one dtype (the layout of Hugging Face checkpoints): [..., out].
func Linear(x, w *Node) *Node {
	return onRows(x, w, func(x *Node) *Node { return product(x, w, x.DType()) })
}

// onRows applies f, from [tokens, in] to [tokens, out], to x [..., in].
func onRows(x, w *Node, f func(x *Node) *Node) *Node {
	dims := x.Shape().Dimensions
	in, last := w.Shape().Dimensions[1], len(dims)-1
	if dims[last] != in {
		exceptions.Panicf("linear layer of %s applied to %s", w.Shape(), x.Shape())
	}
	return Reshape(f(Reshape(x, -1, in)), append(append([]int{}, dims[:last]...), -1)...)
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

// summed is the number of terms that productInBlocks adds up in one go.
const summed = 192

// productInBlocks is product for matrices a [M, C] and b [N, C], without a gradient and in float32 with smaller errors: it sums each 192
// terms apart and then adds the sums, as PyTorch's CPU code does, with the same bits. XLA's adds all terms one after the other, which errs
// half as much again. It costs copies of the blocks, so few rows, as when one text is generated, are not worth it.
func productInBlocks(a, b *Node, out dtypes.DType) *Node {
	terms := a.Shape().Dim(1)
	if a.DType() != dtypes.Float32 || terms <= summed || a.Shape().Dim(0) < 32 {
		return product(a, b, out)
	}
	operands := OptimizationBarriers(a, b) // else XLA cuts all weights of the network at once
	a, b = operands[0], operands[1]
	var sum *Node // [M, N]
	for from := 0; from < terms; from += summed {
		block := AxisRange(from, min(from+summed, terms))
		part := contract(SliceAxis(a, 1, block), 1, SliceAxis(b, 1, block), 1, out)
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return sum
}

// contract multiplies a and b over one axis of each; all axes before the last two are batch axes.
//
// Of several batch axes one is made, which XLA's CPU needs to multiply bfloat16 matrices as such. The accumulator is left to XLA, which takes
// float32 for half precision: asking for it by name makes go-xla copy the weights.
func contract(a *Node, axisA int, b *Node, axisB int, out dtypes.DType) *Node {
	batch := a.Shape().Dimensions[:a.Rank()-2]
	if many := len(batch) - 1; many > 0 {
		y := contract(oneBatchAxis(a), axisA-many, oneBatchAxis(b), axisB-many, out)
		return Reshape(y, append(slices.Clone(batch), y.Shape().Dimensions[1:]...)...)
	}
	axes := []int{0}[:len(batch)]
	dot := Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType)
	if out != a.DType() {
		dot = dot.WithOutputDType(out)
	}
	return dot.General([]int{axisA}, axes, []int{axisB}, axes)
}

// oneBatchAxis reshapes x [..., M, N] to [B, M, N].
func oneBatchAxis(x *Node) *Node {
	return Reshape(x, append([]int{-1}, x.Shape().Dimensions[x.Rank()-2:]...)...)
}
