package data

import (
	"slices"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Set is one set of rows in token ids: pairs or, for a supervised stage, packed documents.
type Set struct {
	SetSummary
	Counts    []datasets.SetCount // rows taken from each dataset
	Pairs     []batch.Pair
	Documents []batch.Document

	Unlabelled int // answers of the rows taken that have no safety label; pairs only
}

// Sets are the sets of a training stage. Buffer and HeldOut are empty if the recipe has none.
type Sets struct{ Main, Buffer, HeldOut Set }

// NonEmpty returns the sets that have rows.
func (s Sets) NonEmpty() []Set {
	return slices.DeleteFunc([]Set{s.Main, s.Buffer, s.HeldOut}, func(s Set) bool { return s.Rows == 0 })
}
