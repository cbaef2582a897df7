package batch

// Sequence is a row of token ids of which the first Prompt are read but not scored.
type Sequence struct {
	IDs    []int32
	Prompt int // leading ids that are not scored; at least 1, since the first token has no predictor
}

// Scored counts the ids that are scored.
func (s Sequence) Scored() int { return max(0, len(s.IDs)-max(s.Prompt, 1)) }

// Pair is one preference in token space.
type Pair struct {
	ID                       string // as of Preference
	Chosen, Rejected         Sequence
	ChosenSafe, RejectedSafe bool

	// log pi_ref of each scored token in nats, where it was computed beforehand; else nil.
	ChosenReference, RejectedReference []float32
}

// Document is one packed row of supervised text.
type Document struct {
	ID     string
	IDs    []int32
	Starts []int // where each document of the row begins; attention and positions restart there
}

// Shape is the static size of a batch: a program is compiled once per Shape.
type Shape struct {
	Rows      int // B
	Length    int // S
	Targets   int // N
	Responses int // two per pair (chosen 2i, rejected 2i+1), or one per packed row
}

// Batch is what one program call reads: rows packed with segments, and a flat list of scored tokens.
//
// A segment is 0 for padding, else doc<<8 | branch, where doc counts from 1 within its row and branch is 0 for a trunk (what both answers begin with, or a
// whole document), 1 for a chosen and 2 for a rejected answer. A token sees the earlier tokens of its document that lie on its trunk
// or its own branch, so chosen and rejected share one prompt, and documents packed into one row do not see each other.
type Batch struct {
	Shape
	Tokens, Positions, Segments []int32 // [B*S]

	Index  []int32 // [N] flat position b*S+s of the hidden state that predicts the label
	Labels []int32 // [N]
	Owner  []int32 // [N] response the target belongs to; -1 for padding
	// [N] log pi_ref of the labels in nats, 0 for padding; nil unless the pairs carry it
	Reference []float32

	IDs                      []string // pairs (or packed rows) present; the rest of Responses is padding
	ChosenSafe, RejectedSafe []bool   // [len(IDs)], nil for supervised batches
	RealTokens               int      // prompt and response tokens, chosen and rejected row each in full
}
