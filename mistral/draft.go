package mistral

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// To compute a few tokens of a row at once takes hardly longer than one: most of the time goes into reading the weights. So what is likely to follow a
// text is computed with its last token, as a draft. A token of it counts if it is what the network itself says there, so that drafts save steps and
// change no text (Leviathan et al. 2023, arXiv 2211.17192).

// draftTokens is the length of a draft. A step of more rows takes longer with drafts than without, and with four rows on a processor by more than drafts
// save in chats: draftRows have them at most.
const draftTokens, maxDraftRows = 3, 2

// drafted is the length of the drafts of so many rows.
func draftLength(rows int) int {
	if rows > maxDraftRows {
		return 0
	}
	return draftTokens
}

// draft returns n tokens, [B, 1] each, that are likely to follow the first length, [B], of text [B, T].
//
// Where the last tokens, three or fewer, have stood before, that is what followed there (Saxena 2023, "prompt lookup decoding"): after the most of them,
// and of such places the last one; a text that goes round and round is taken to go on so. Else it is what stands in text behind the first
// length: what the network has said of these places, if it was shown a wrong draft before them (Santilli et al. 2023, arXiv 2305.10427).
func draft(text, length *Node, n int) []*Node {
	length = InsertAxes(length, -1) // [B, 1]
	columns := text.Shape().Dim(1)
	column := Iota(text.Graph(), shapes.Make(dtypes.Int32, 1, columns), 1) // [1, T]
	alike, score := LessThan(column, AddScalar(length, -1)), column        // [B, T]: whether a text that ends there ends as the whole one does, and how far
	for back := range int32(3) {
		same := Equal(tokensAt(text, AddScalar(column, -back)), tokensAt(text, AddScalar(length, -1-back)))
		alike = And(alike, And(same, GreaterOrEqual(column, Const(text.Graph(), back))))
		score = Add(score, MulScalar(ConvertDType(alike, dtypes.Int32), columns))
	}
	best := InsertAxes(ReduceMax(score, -1), -1) // [B, 1]
	found := GreaterOrEqual(best, Const(text.Graph(), int32(columns)))
	behind := AddScalar(Mod(best, Const(text.Graph(), int32(columns))), 1)
	next := make([]*Node, n)
	for i, at := 0, behind; i < n; i++ {
		next[i] = tokensAt(text, Where(found, at, AddScalar(length, i)))
		at = AddScalar(at, 1)
		at = Where(LessThan(at, length), at, behind)
	}
	return next
}

// tokensAt returns the tokens of text [B, T] in columns [B, N], or the nearest ones there are.
func tokensAt(text, columns *Node) *Node {
	b := text.Shape().Dim(0)
	columns = ClipScalar(columns, 0, float64(text.Shape().Dim(1)-1))
	columns = BroadcastToDims(InsertAxes(columns, -1), b, columns.Shape().Dim(1), 1)
	row := Iota(text.Graph(), columns.Shape(), 0)
	return Gather(text, Concatenate([]*Node{row, columns}, -1))
}
