package graph

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// BranchBits is the number of bits of a segment that number a branch: a document has up to 1<<BranchBits - 1 of them.
const BranchBits = 8

// Places says where the tokens of a batch stand. All nodes are int32 [B, S].
type Places struct {
	// Segments is 0 for padding, else document<<BranchBits | branch with document >= 1 and branch 0 for the trunk.
	Segments *Node
	// Positions counts from the start of the document, along the trunk and on along each branch. Mask needs it only for a window over
	// a cache of keys.
	Positions *Node
	// Index is the place in the row; nil stands for 0, 1, 2, ...
	Index *Node
}

// Mask says which keys a query sees, as bool [B, S, T] for queries at S and keys at T places of the same rows:
//
//	document(q) = document(k)  and  branch(k) in {0, branch(q)}  and  index(k) <= index(q)
//	and  (window = 0 or order(q) - order(k) < window)
//
// So a response sees its prompt and itself but not the other response, documents packed into one row do not see each other,
// and only padding sees padding. With a cache of keys, the queries are the new tokens with their Index in the cache.
//
// The order of a token is how many tokens it sees without a window: its place in its own sequence, wherever that lies in the row and
// whatever positions it is rotated by. With a cache of keys it is Positions.
func Mask(queries, keys Places, window int) *Node {
	segmentQ, segmentK := InsertAxes(queries.Segments, 2), InsertAxes(keys.Segments, 1) // [B, S, 1], [B, 1, T]
	trunkQ := BitwiseAnd(segmentQ, Const(segmentQ.Graph(), int32(-1)<<BranchBits))      // [B, S, 1]
	mask := Or(Equal(segmentK, segmentQ), Equal(segmentK, trunkQ))                      // [B, S, T]
	mask = And(mask, LessOrEqual(InsertAxes(keys.index(), 1), InsertAxes(queries.index(), 2)))
	if window == 0 || window >= mask.Shape().Dim(2) {
		return once(mask)
	}
	orderQ, orderK := queries.Positions, keys.Positions // [B, S], [B, T]
	if queries == keys {
		orderQ = ReduceSum(ConvertDType(mask, dtypes.Int32), -1)
		orderK = orderQ
	}
	distance := Sub(InsertAxes(orderQ, 2), InsertAxes(orderK, 1)) // [B, S, T]
	return once(And(mask, LessThan(distance, Const(mask.Graph(), int32(window)))))
}

// once has x computed once: XLA's CPU would compute a mask anew for each head and each use of it.
func once(x *Node) *Node {
	if onGPU(x) {
		return x
	}
	return OptimizationBarriers(x)[0]
}

func (p Places) index() *Node {
	if p.Index != nil {
		return p.Index
	}
	length := p.Segments.Shape().Dimensions[1]
	return Iota(p.Segments.Graph(), shapes.Make(dtypes.Int32, 1, length), 1) // [1, S]
}

// SelfAttention is Attention of the tokens of a row to each other under a mask that lets none see a later place, as Mask makes it
// of one Places: q [B, S, H, hd], k and v [B, S, K, hd], mask [B, S, S], in which a place sees itself.
//
// Scores with keys behind a whole block of queries are not computed. With the four blocks of a long row that is 3/8 of them.
func (w Weights) SelfAttention(q, k, v, mask *Node) *Node {
	if fusable(q) {
		return fusedAttention(q, k, v, mask)
	}
	if callable(q) {
		return w.calledAttention(q, k, v, mask)
	}
	return w.Again(func(in []*Node) *Node { return selfAttention(in[0], in[1], in[2], mask) }, q, k, v)
}

func selfAttention(q, k, v, mask *Node) *Node {
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

// Attention mixes values by scaled dot products of queries and keys (Vaswani et al. 2017, eq. 1):
//
//	softmax(q k^T / sqrt(hd)) v
//
// over the keys that mask [B, S, T] lets a query see, for q [B, S, H, hd] and k, v [B, T, K, hd]; head h of q reads head
// h*K/H of k and v (Ainslie et al. 2023). It returns [B, S, H*hd] in q's dtype, with scores and softmax in float32. A query
// that sees nothing gets the mean of all values, and no gradient passes through its scores.
func Attention(q, k, v, mask *Node) *Node {
	b, s, heads, width := q.Shape().Dim(0), q.Shape().Dim(1), q.Shape().Dim(2), q.Shape().Dim(3)
	t, kvHeads := k.Shape().Dim(1), k.Shape().Dim(2)
	if heads%kvHeads != 0 {
		exceptions.Panicf("%d query heads cannot share %d key heads", heads, kvHeads)
	}
	group := heads / kvHeads

	// The query heads of one key head are put below each other, so that keys and values need not be repeated.
	q = TransposeAllAxes(Reshape(q, b, s, kvHeads, group, width), 0, 2, 3, 1, 4) // [B, K, H/K, S, hd]
	q = Reshape(q, b, kvHeads, group*s, width)
	k = TransposeAllAxes(k, 0, 2, 1, 3) // [B, K, T, hd]
	v = TransposeAllAxes(v, 0, 2, 3, 1) // [B, K, hd, T]

	scores := MulScalar(product(q, k, dtypes.Float32), 1/math.Sqrt(float64(width))) // [B, K, H/K*S, T]
	scores = Reshape(scores, b, kvHeads, group, s, t)
	visible := BroadcastToDims(InsertAxes(mask, 1, 1), b, kvHeads, group, s, t)
	scores = Where(visible, scores, Scalar(scores.Graph(), dtypes.Float32, hidden))

	// Dividing by the sum after the values have been mixed touches hd numbers per query instead of T.
	top := StopGradient(ReduceAndKeep(scores, ReduceMax, -1))
	e := Exp(Sub(scores, top))             // [B, K, H/K, S, T]
	sum := ReduceAndKeep(e, ReduceSum, -1) // [B, K, H/K, S, 1]
	e = Reshape(ConvertDType(e, v.DType()), b, kvHeads, group*s, t)
	mixed := product(e, v, dtypes.Float32) // [B, K, H/K*S, hd]
	mixed = Div(Reshape(mixed, b, kvHeads, group, s, width), sum)
	mixed = TransposeAllAxes(mixed, 0, 3, 1, 2, 4) // [B, S, K, H/K, hd]
	return ConvertDType(Reshape(mixed, b, s, heads*width), q.DType())
}

// hidden is the score of a key that a query does not see: far below any other, and finite, so that a query that sees
// nothing at all gives no NaN.
const hidden = -1e30
