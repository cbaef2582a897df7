package batch

import (
	"fmt"
	"slices"
)

// Fill lays the examples of one batch (see Split) out in the cheapest shape that holds them. Example i owns the
// responses 2i (chosen) and 2i+1 (rejected), or the response i for supervised text. The result depends on the arguments
// alone. The error wraps ErrNoShape.
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
		if r := packTrees(lengths, layout, s.Length); r != nil && len(r) <= s.Rows {
			best, rows = i, r
		}
	}
	if best < 0 {
		return Batch{}, fmt.Errorf("%d examples (the longest of %d tokens, %d targets, %d responses): %w: %v",
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
	describe(&b, examples)
	return b, nil
}

// fillRow writes the trees of one row, and their targets from target n on; it returns the next free target.
func (b *Batch) fillRow(row, n int, trees []tree, first []int32, members []int) int {
	at := row * b.Length
	document := int32(1)
	for _, m := range members {
		t := trees[m]
		copy(b.Tokens[at:], t.tokens)
		copy(b.Positions[at:], t.positions)
		for i, s := range t.segments {
			b.Segments[at+i] = s + document<<BranchBits
		}
		for i, predictor := range t.predictors {
			b.Index[n] = int32(at) + predictor
			b.Labels[n] = t.labels[i]
			b.Owner[n] = first[m] + t.responses[i]
			if b.Reference != nil {
				b.Reference[n] = t.reference[i]
			}
			n++
		}
		at += len(t.tokens)
		document += t.documents
	}
	return n
}

// describe sets the batch's IDs, safety labels and number of tokens from its examples.
func describe[T Example](b *Batch, examples []T) {
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
