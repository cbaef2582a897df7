package graph

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// BranchBits is the number of low bits of a segment that number the branch: a document has up to 1<<BranchBits - 1
// branches.
const BranchBits = 8

// Layout tells where the tokens of a batch belong: to which document and branch, and at which position. All nodes are
// int32 [B, S].
type Layout struct {
	// Segments is 0 for padding, otherwise document<<BranchBits | branch, with document >= 1. Branch 0 is the trunk,
	// the prefix that all branches of the document share.
	Segments *Node
	// Positions counts from the start of the document, through the trunk and on along each branch. Mask needs it only
	// for a sliding window over a KV cache.
	Positions *Node
	// Index is the token's index in its row; nil stands for 0, 1, 2, ...
	Index *Node
}

// Mask returns which keys each query attends to, as bool [B, S, T], for queries at S and keys at T tokens of the same
// rows:
//
//	document(q) = document(k)  and  branch(k) in {0, branch(q)}  and  index(k) <= index(q)
//	and  (window = 0 or order(q) - order(k) < window)
//
// So a response attends to its prompt and to itself but not to the other response, documents packed into one row do not
// attend to each other, and padding attends only to padding. With a KV cache, the queries are the new tokens, and their
// Index is their column of the cache.
//
// The order of a token is the number of tokens it would attend to without a window, which is its place in its own
// sequence, wherever that lies in the row and whatever positions rotate it. With a KV cache, the order is Positions.
func Mask(queries, keys Layout, window int) *Node {
	segmentQ, segmentK := InsertAxes(queries.Segments, 2), InsertAxes(keys.Segments, 1) // [B, S, 1], [B, 1, T]
	trunkQ := BitwiseAnd(segmentQ, Const(segmentQ.Graph(), int32(-1)<<BranchBits))      // [B, S, 1]
	mask := Or(Equal(segmentK, segmentQ), Equal(segmentK, trunkQ))                      // [B, S, T]
	mask = And(mask, LessOrEqual(InsertAxes(keys.index(), 1), InsertAxes(queries.index(), 2)))
	if window == 0 || window >= mask.Shape().Dim(2) {
		return computeOnce(mask)
	}
	orderQ, orderK := queries.Positions, keys.Positions // [B, S], [B, T]
	if queries == keys {
		orderQ = ReduceSum(ConvertDType(mask, dtypes.Int32), -1)
		orderK = orderQ
	}
	distance := Sub(InsertAxes(orderQ, 2), InsertAxes(orderK, 1)) // [B, S, T]
	return computeOnce(And(mask, LessThan(distance, Const(mask.Graph(), int32(window)))))
}

// computeOnce puts x behind a barrier: XLA's CPU backend would otherwise compute a mask anew for every head and use.
func computeOnce(x *Node) *Node {
	if onGPU(x) {
		return x
	}
	return OptimizationBarriers(x)[0]
}

// index returns Index, or 0, 1, 2, ... for every row if it is nil.
func (l Layout) index() *Node {
	if l.Index != nil {
		return l.Index
	}
	length := l.Segments.Shape().Dimensions[1]
	return Iota(l.Segments.Graph(), shapes.Make(dtypes.Int32, 1, length), 1) // [1, S]
}
