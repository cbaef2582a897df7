package batch

import "errors"

// Sequence is a row of token ids that begins with a prompt. The ids after the prompt are its targets: the tokens whose
// log-probabilities are asked for.
type Sequence struct {
	IDs          []int32
	PromptLength int // leading ids that are no targets; at least 1, since nothing predicts the first token
}

// TargetCount is the number of targets.
func (s Sequence) TargetCount() int { return max(0, len(s.IDs)-max(s.PromptLength, 1)) }

// Pair is a tokenised preference: two answers to one prompt.
type Pair struct {
	ID                       string // the preference's
	Chosen, Rejected         Sequence
	ChosenSafe, RejectedSafe bool

	// The reference log-probability of each target in nats; nil where they are not precomputed.
	ChosenReference, RejectedReference []float32
}

// Document is a row of supervised text, in which several documents may be packed. Every token but the first of a
// document is a target.
type Document struct {
	ID     string
	IDs    []int32
	Starts []int // where each document of the row begins; attention and positions restart there
}

// Example is what batches are filled with: a preference pair or a row of supervised text.
type Example interface{ Pair | Document }

// ErrNoShape is wrapped by the errors of Split and Fill when no shape is large enough.
var ErrNoShape = errors.New("no shape is large enough")

// Shape is the static size of a batch: a program is compiled once per Shape.
type Shape struct {
	Rows      int // B
	Length    int // S, tokens of a row
	Targets   int // N
	Responses int // R, two per pair (chosen 2i, rejected 2i+1), or one per row of supervised text
}

// callCost is the cost of a program call apart from its tokens, in tokens: weights are read and gradients are added up.
const callCost = 64

// cost estimates the work of one call in tokens. The cost of attention grows with the length of a row: it equals the
// rest of a layer at about 4,000 tokens for a model of width 512, and beyond that for wider models.
func (s Shape) cost() float64 {
	return callCost + float64(s.Rows*s.Length)*(1+float64(s.Length)/4096)
}

// BranchBits is the number of low bits of a segment that number the branch; it equals graph.BranchBits.
const BranchBits = 8

// Batch is what one device runs in one program call: rows of tokens packed with segments, and a flat list of targets.
//
// A segment is 0 for padding, else document<<BranchBits | branch. document counts from 1 within its row. branch is 0
// for a trunk (a pair's prompt with what both answers begin with, or a whole document), 1 for the rest of a chosen and
// 2 for the rest of a rejected answer: a pair is one document of a row. A token attends to the earlier tokens of its
// document that are on the trunk or on its own branch. So the two answers share one prompt, and documents in one row do
// not see each other.
type Batch struct {
	Shape
	Tokens, Positions, Segments []int32 // [B*S]

	Index  []int32 // [N] flat position b*S+s of the token that predicts the target
	Labels []int32 // [N] the target's token id
	Owner  []int32 // [N] the response that the target belongs to; -1 for padding

	// Reference holds the reference log-probabilities of the targets in nats, [N], 0 for padding; nil unless the pairs
	// have them.
	Reference []float32

	IDs                      []string // of the examples; the responses beyond them are padding
	ChosenSafe, RejectedSafe []bool   // [len(IDs)]; nil for supervised text
	RealTokens               int      // without padding and prefix sharing: a pair counts both its sequences in full
}

// newBatch returns a batch without examples.
func newBatch(s Shape) Batch {
	b := Batch{
		Shape:     s,
		Tokens:    make([]int32, s.Rows*s.Length),
		Positions: make([]int32, s.Rows*s.Length),
		Segments:  make([]int32, s.Rows*s.Length),
		Index:     make([]int32, s.Targets),
		Labels:    make([]int32, s.Targets),
		Owner:     make([]int32, s.Targets),
	}
	for i := range b.Owner {
		b.Owner[i] = -1
	}
	return b
}

// PaddingBatch returns a batch of the same shape and kind without examples, for a device that has none left.
func (b Batch) PaddingBatch() Batch {
	empty := newBatch(b.Shape)
	if b.Reference != nil {
		empty.Reference = make([]float32, b.Targets)
	}
	if b.ChosenSafe != nil {
		empty.ChosenSafe, empty.RejectedSafe = []bool{}, []bool{}
	}
	return empty
}
