package mistral

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Speculative decoding: computing a few tokens of a row at once takes hardly longer than computing one, since most
// of the time is spent on reading the weights. A step therefore computes the last token of a text together with a
// draft of the tokens that are likely to follow. A drafted token is accepted if the network itself predicts it
// there, so that drafts save steps and never change the text (Leviathan et al. 2023, arXiv 2211.17192).

// draftTokens is the length of a draft. The more rows a step has, the more time a draft costs; with four rows on a
// CPU it costs more than it saves in chats. Hence at most maxDraftRows rows have drafts.
const draftTokens, maxDraftRows = 3, 2

// draftLength returns the length of the drafts of a step with the given number of rows.
func draftLength(rows int) int {
	if rows > maxDraftRows {
		return 0
	}
	return draftTokens
}

// draft returns n tokens, [B, 1] each, that are likely to follow the first length, [B], tokens of text [B, T].
//
// If the last tokens of the text occur earlier in it, the draft is what followed them there (Saxena 2023, "prompt
// lookup decoding"). The longest match counts, of three tokens at most, and of several matches of that length the
// last one. A match that reaches the end of the text is continued as a repetition. Without a match the draft is
// what text holds after the first length tokens: what the network predicted for these positions when an earlier
// draft before them turned out wrong (Santilli et al. 2023, arXiv 2305.10427).
func draft(text, length *Node, n int) []*Node {
	g, columns := text.Graph(), text.Shape().Dim(1)
	length = InsertAxes(length, -1)                             // [B, 1]
	column := Iota(g, shapes.Make(dtypes.Int32, 1, columns), 1) // [1, T]
	// matches [B, T] tells whether the tokens that end in a column match the end of the text. The score of a column
	// is the number of matching tokens times T plus the column, so that the largest score is the last of the longest
	// matches.
	matches, score := LessThan(column, AddScalar(length, -1)), column
	for back := range int32(3) {
		same := Equal(tokensAt(text, AddScalar(column, -back)), tokensAt(text, AddScalar(length, -1-back)))
		matches = And(matches, And(same, GreaterOrEqual(column, Const(g, back))))
		score = Add(score, MulScalar(ConvertDType(matches, dtypes.Int32), columns))
	}
	best := InsertAxes(ReduceMax(score, -1), -1) // [B, 1]
	found := GreaterOrEqual(best, Const(g, int32(columns)))
	first := AddScalar(Mod(best, Const(g, int32(columns))), 1) // the column after the match
	next := make([]*Node, n)
	for i, from := 0, first; i < n; i++ {
		next[i] = tokensAt(text, Where(found, from, AddScalar(length, i)))
		from = AddScalar(from, 1)
		from = Where(LessThan(from, length), from, first)
	}
	return next
}

// tokensAt returns the tokens of text [B, T] in columns [B, N]. Columns outside the text are clipped to the nearest
// one.
func tokensAt(text, columns *Node) *Node {
	b := text.Shape().Dim(0)
	columns = ClipScalar(columns, 0, float64(text.Shape().Dim(1)-1))
	columns = BroadcastToDims(InsertAxes(columns, -1), b, columns.Shape().Dim(1), 1)
	row := Iota(text.Graph(), columns.Shape(), 0)
	return Gather(text, Concatenate([]*Node{row, columns}, -1))
}
