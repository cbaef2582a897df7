package graph

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// Linear returns x w^T, [..., out], for x [..., in] and w [out, in] of one dtype. This is the layout of weights in
// Hugging Face checkpoints.
func Linear(x, w *Node) *Node {
	return applyToRows(x, w, func(x *Node) *Node { return product(x, w, x.DType()) })
}

// applyToRows applies f, which maps [tokens, in] to [tokens, out], to x [..., in] and restores the leading axes.
func applyToRows(x, w *Node, f func(x *Node) *Node) *Node {
	dims := x.Shape().Dimensions
	in, last := w.Shape().Dimensions[1], len(dims)-1
	if dims[last] != in {
		exceptions.Panicf("linear layer of %s applied to %s", w.Shape(), x.Shape())
	}
	return Reshape(f(Reshape(x, -1, in)), append(append([]int{}, dims[:last]...), -1)...)
}

// product contracts the last axes of a [..., M, C] and b [..., N, C], which have one dtype and the same leading axes,
// to [..., M, N] in dtype out. It accumulates in float32.
//
// The gradient of float32 operands is GoMLX's. For half precision, GoMLX would convert all operands of the backward
// pass to float32, which is slow. The custom gradient here rounds the adjoint dy to half precision instead:
//
//	da = dy b,  db = dy^T a
func product(a, b *Node, out dtypes.DType) *Node {
	last := a.Rank() - 1
	if !a.DType().IsHalfPrecision() {
		return ConvertDType(contract(a, last, b, last, a.DType()), out)
	}
	if a.Shape().Dim(last-1) == 1 {
		// XLA's CPU backend multiplies one row, as in decoding one text, seven times slower than two rows.
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

// blockTerms is the number of terms that productInBlocks sums in one block.
const blockTerms = 192

// productInBlocks is product for matrices a [M, C] and b [N, C] without a gradient, with smaller rounding errors in
// float32. It sums blocks of 192 terms and then adds the sums, as PyTorch's CPU code does, and gives the same bits.
// XLA adds all terms one after the other, and its error is half as large again. The blocks have to be copied, which
// does not pay for a few rows, as in decoding; these go to product.
func productInBlocks(a, b *Node, out dtypes.DType) *Node {
	terms := a.Shape().Dim(1)
	if a.DType() != dtypes.Float32 || terms <= blockTerms || a.Shape().Dim(0) < 32 {
		return product(a, b, out)
	}
	operands := OptimizationBarriers(a, b) // otherwise XLA copies the blocks of all weights at the start
	a, b = operands[0], operands[1]
	var sum *Node // [M, N]
	for from := 0; from < terms; from += blockTerms {
		block := AxisRange(from, min(from+blockTerms, terms))
		blockSum := contract(SliceAxis(a, 1, block), 1, SliceAxis(b, 1, block), 1, out)
		if sum == nil {
			sum = blockSum
		} else {
			sum = Add(sum, blockSum)
		}
	}
	return sum
}

// contract multiplies a and b over one axis of each; all axes before the last two are batch axes.
//
// Several batch axes are merged into one, since XLA's CPU backend multiplies bfloat16 matrices natively only then. The
// accumulator's dtype is left to XLA, which takes float32 for half precision; naming it makes go-xla copy the weights.
func contract(a *Node, axisA int, b *Node, axisB int, out dtypes.DType) *Node {
	batch := a.Shape().Dimensions[:a.Rank()-2]
	if extra := len(batch) - 1; extra > 0 {
		y := contract(mergeBatchAxes(a), axisA-extra, mergeBatchAxes(b), axisB-extra, out)
		return Reshape(y, append(slices.Clone(batch), y.Shape().Dimensions[1:]...)...)
	}
	axes := []int{0}[:len(batch)]
	dot := Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType)
	if out != a.DType() {
		dot = dot.WithOutputDType(out)
	}
	return dot.General([]int{axisA}, axes, []int{axisB}, axes)
}

// mergeBatchAxes reshapes x [..., M, N] to [batch, M, N].
func mergeBatchAxes(x *Node) *Node {
	return Reshape(x, append([]int{-1}, x.Shape().Dimensions[x.Rank()-2:]...)...)
}
