package graph

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// Attention is scaled dot-product attention (Vaswani et al. 2017, eq. 1):
//
//	softmax(q k^T / sqrt(hd)) v
//
// over the keys that mask [B, S, T] allows each query, for q [B, S, H, hd] and k, v [B, T, K, hd]; head h of q reads
// head h*K/H of k and v (Ainslie et al. 2023). It returns [B, S, H*hd] in q's dtype, with scores and softmax in
// float32. A query without any key gets the mean of all values, and no gradient passes through its scores.
func Attention(q, k, v, mask *Node) *Node {
	b, s, heads, width := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	t, kvHeads := k.Shape().Dim(1), k.Shape().Dim(2)
	if heads%kvHeads != 0 {
		exceptions.Panicf("%d query heads cannot share %d key heads", heads, kvHeads)
	}
	group := heads / kvHeads

	// The queries of all heads that share a key head are stacked, so keys and values need not be repeated.
	q = TransposeAllAxes(Reshape(q, b, s, kvHeads, group, width), 0, 2, 3, 1, 4) // [B, K, H/K, S, hd]
	q = Reshape(q, b, kvHeads, group*s, width)
	k = TransposeAllAxes(k, 0, 2, 1, 3) // [B, K, T, hd]
	v = TransposeAllAxes(v, 0, 2, 3, 1) // [B, K, hd, T]

	scores := MulScalar(product(q, k, dtypes.Float32), 1/math.Sqrt(float64(width))) // [B, K, H/K*S, T]
	scores = Reshape(scores, b, kvHeads, group, s, t)
	visible := BroadcastToDims(InsertAxes(mask, 1, 1), b, kvHeads, group, s, t)
	scores = Where(visible, scores, Scalar(scores.Graph(), dtypes.Float32, maskedScore))

	// The division by the sum comes after the product with the values: it then takes hd numbers per query instead of T.
	top := StopGradient(ReduceAndKeep(scores, ReduceMax, -1))
	e := Exp(Sub(scores, top))             // [B, K, H/K, S, T]
	sum := ReduceAndKeep(e, ReduceSum, -1) // [B, K, H/K, S, 1]
	e = Reshape(ConvertDType(e, v.DType()), b, kvHeads, group*s, t)
	output := product(e, v, dtypes.Float32) // [B, K, H/K*S, hd]
	output = Div(Reshape(output, b, kvHeads, group, s, width), sum)
	output = TransposeAllAxes(output, 0, 3, 1, 2, 4) // [B, S, K, H/K, hd]
	return ConvertDType(Reshape(output, b, s, heads*width), q.DType())
}

// maskedScore is the score of a key that a query does not attend to: far below every other score, and finite, so that a
// query without any key does not become NaN.
const maskedScore = -1e30

// attendInBlocks is Attention in blocks of queries, under a mask that allows no later key. It leaves out the scores of
// keys that come after a whole block of queries; with the four blocks of a long row these are 3/8 of all scores.
func attendInBlocks(q, k, v, mask *Node) *Node {
	s := q.Shape().Dim(1)
	size := max(128, (s+3)/4)
	var blocks []*Node
	for from := 0; from < s; from += size {
		queries, keys := AxisRange(from, min(from+size, s)), AxisRangeFromStart(min(from+size, s))
		blocks = append(blocks, Attention(SliceAxis(q, 1, queries), SliceAxis(k, 1, keys), SliceAxis(v, 1, keys),
			Slice(mask, AxisRange(), queries, keys)))
	}
	return Concatenate(blocks, 1) // [B, S, H*hd]
}
