package data

import (
	"slices"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Set is one set of a stage in token ids: pairs, or the packed documents of a supervised stage.
type Set struct {
	SetSummary
	Counts    []datasets.PartCount // what each data set gave
	Pairs     []batch.Pair
	Documents []batch.Document
}

// Stage holds the sets of a training stage. Buffer and Held are empty where the recipe has none.
type Stage struct{ Main, Buffer, Held Set }

// Sets returns the sets that have rows.
func (d Stage) Sets() []Set {
	return slices.DeleteFunc([]Set{d.Main, d.Buffer, d.Held}, func(s Set) bool { return s.Rows == 0 })
}
