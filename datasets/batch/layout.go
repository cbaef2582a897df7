package batch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// ErrNoShape is wrapped by Fill when no shape is large enough.
var ErrNoShape = errors.New("no shape is large enough")

// Fill lays a part of a batch (see Split) out in the cheapest of the shapes that holds them. The example i owns the responses 2i and 2i+1 (chosen and
// rejected), or the response i of supervised text. The result depends on nothing but the arguments.
func Fill[T Example](examples []T, layout Layout, shapes []Shape) (Batch, error) {
	var trees []tree
	var first []int32 // the first response of each tree's example
	var lengths []int
	targets, responses := 0, 0
	for _, e := range examples {
		for _, t := range treesOf(e, layout) {
			trees = append(trees, t)
			first = append(first, int32(responses))
			lengths = append(lengths, len(t.tokens))
			targets += len(t.labels)
		}
		responses += responsesOf(e)
	}

	best := -1
	var rows [][]int
	for i, s := range shapes {
		if targets > s.Targets || responses > s.Responses || (best >= 0 && s.cost() >= shapes[best].cost()) {
			continue
		}
		if r := place(lengths, layout, s.Length); r != nil && len(r) <= s.Rows {
			best, rows = i, r
		}
	}
	if best < 0 {
		return Batch{}, fmt.Errorf("%d examples (longest piece %d tokens, %d scored tokens, %d responses): %w: %v",
			len(examples), slices.Max(append(lengths, 0)), targets, responses, ErrNoShape, shapes)
	}
	b := newBatch(shapes[best])
	if slices.ContainsFunc(trees, func(t tree) bool { return t.reference != nil }) {
		b.Reference = make([]float32, b.Targets)
	}
	n := 0
	for row, members := range rows {
		n = b.fillRow(row, n, trees, first, members)
	}
	label(&b, examples)
	return b, nil
}

// Divide shares examples out to devices in their order, to each as many as to any other or one more. Without enough for all some get none.
func Divide[T any](examples []T, devices int) [][]T {
	shares := make([][]T, 0, devices)
	for device := range devices {
		if share := examples[device*len(examples)/devices : (device+1)*len(examples)/devices]; len(share) > 0 {
			shares = append(shares, share)
		}
	}
	return shares
}

// Padding is a batch of the same shape and kind without an example.
func (b Batch) Padding() Batch {
	empty := newBatch(b.Shape)
	if b.Reference != nil {
		empty.Reference = make([]float32, b.Targets)
	}
	if b.ChosenSafe != nil {
		empty.ChosenSafe, empty.RejectedSafe = []bool{}, []bool{}
	}
	return empty
}

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

// fillRow writes the trees of one row and their scored tokens from target n on; it returns the next free target.
func (b *Batch) fillRow(row, n int, trees []tree, first []int32, members []int) int {
	at := row * b.Length
	doc := int32(1)
	for _, m := range members {
		t := trees[m]
		copy(b.Tokens[at:], t.tokens)
		copy(b.Positions[at:], t.positions)
		for i, s := range t.segments {
			b.Segments[at+i] = s + doc<<BranchBits
		}
		for i, from := range t.from {
			b.Index[n] = int32(at) + from
			b.Labels[n] = t.labels[i]
			b.Owner[n] = first[m] + t.responses[i]
			if b.Reference != nil {
				b.Reference[n] = t.reference[i]
			}
			n++
		}
		at += len(t.tokens)
		doc += t.docs
	}
	return n
}

// label names the examples of a batch and carries their safety labels over.
func label[T Example](b *Batch, examples []T) {
	for _, e := range examples {
		switch e := any(e).(type) {
		case Pair:
			b.IDs = append(b.IDs, e.ID)
			b.ChosenSafe = append(b.ChosenSafe, e.ChosenSafe)
			b.RejectedSafe = append(b.RejectedSafe, e.RejectedSafe)
			b.RealTokens += len(e.Chosen.IDs) + len(e.Rejected.IDs)
		case Document:
			b.IDs = append(b.IDs, e.ID)
			b.RealTokens += len(e.IDs)
		}
	}
}

// place distributes pieces over rows of the given length: the longest first, each into the fullest row that still holds it (best fit
// decreasing). Pieces keep their order within a row. The result is nil when a piece is longer than a row.
func place(lengths []int, layout Layout, length int) [][]int {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	if layout == Shared {
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(lengths[j], lengths[i]) })
	}
	rows := [][]int{}
	var room []int
	for _, piece := range order {
		if lengths[piece] > length {
			return nil
		}
		best := -1
		for r, free := range room {
			if layout == Shared && free >= lengths[piece] && (best < 0 || free < room[best]) {
				best = r
			}
		}
		if best < 0 {
			best = len(rows)
			rows, room = append(rows, nil), append(room, length)
		}
		rows[best] = append(rows[best], piece)
		room[best] -= lengths[piece]
	}
	for _, row := range rows {
		slices.Sort(row)
	}
	return rows
}
