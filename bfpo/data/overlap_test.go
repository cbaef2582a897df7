package data

import (
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

func TestNoteOverlap(t *testing.T) {
	pair := func(id string, chosen, rejected []int32) batch.Pair {
		return batch.Pair{ID: id, Chosen: batch.Sequence{IDs: chosen}, Rejected: batch.Sequence{IDs: rejected}}
	}
	heldOut := Set{Pairs: []batch.Pair{
		pair("a", []int32{1, 2}, []int32{1, 3}),
		pair("b", []int32{1}, []int32{2, 1, 3}), // the same ids in all, but divided elsewhere
		pair("c", []int32{4}, []int32{5}),
	}}
	main := Set{Pairs: []batch.Pair{pair("x", []int32{1, 2}, []int32{1, 3}), pair("y", []int32{5}, []int32{4})}}
	NoteOverlap(&heldOut, main)
	if len(heldOut.Notes) != 1 || !strings.Contains(heldOut.Notes[0], "1 of 3 held-out pairs are trained on too (a)") {
		t.Errorf("notes %q", heldOut.Notes)
	}
	other := Set{Pairs: heldOut.Pairs[1:]}
	if NoteOverlap(&other, main); len(other.Notes) != 0 {
		t.Errorf("notes without overlap: %q", other.Notes)
	}
}
