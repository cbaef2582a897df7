package data

import (
	"fmt"
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

// noteLabels returns a note about the answers of a set of pairs that have no safety label, if there are any.
func noteLabels(s Set) []string {
	answers := 0
	for _, c := range s.Counts {
		answers += 2 * c.Used
	}
	switch {
	case s.Unlabelled == 0:
		return nil
	case s.Unlabelled == answers:
		return []string{fmt.Sprintf("no row of the %s set has safety labels (is_chosen_safe, is_rejected_safe): "+
			"every answer counts as safe", s.Name)}
	}
	return []string{fmt.Sprintf("%d of %d answers have no safety label and count as safe", s.Unlabelled, answers)}
}
