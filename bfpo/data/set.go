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
	Taken     int                 // rows that were tokenised, those that tokenising dropped included
	Pairs     []batch.Pair
	Documents []batch.Document

	Unlabelled Unlabelled // pairs only
	Texts      int        // rows of text, which no chat template rendered
}

// Unlabelled counts the rows among Set.Taken that lack safety labels.
type Unlabelled struct {
	Without int // rows of which neither answer has one
	Half    int // rows of which one answer has one
}

// Sets are the sets of a training stage. Buffer and HeldOut are empty if the recipe has none.
type Sets struct{ Main, Buffer, HeldOut Set }

// The names of the sets in messages and reports.
const (
	mainSet    = "main"
	bufferSet  = "buffer"
	HeldOutSet = "held out"
)

// NonEmpty returns the sets that have rows.
func (s Sets) NonEmpty() []Set {
	return slices.DeleteFunc([]Set{s.Main, s.Buffer, s.HeldOut}, func(s Set) bool { return s.Rows == 0 })
}

// noteLabels says what an objective makes of the rows of a set of pairs that lack safety labels, if there are any and
// the recipe does not accept it (unlabelled: safe). loss is Objective.Unlabelled. For a buffer, whose pairs are about
// helpfulness, it is no warning that no row has labels.
func noteLabels(s Set, unlabelled, loss string) []string {
	const names = "(is_chosen_safe, is_rejected_safe)"
	l := s.Unlabelled
	switch {
	case l.Without+l.Half == 0 || unlabelled == "safe":
		return nil
	case s.Name == bufferSet && l.Without == s.Taken:
		return []string{"a buffer needs no safety labels: every answer counts as safe, and " + loss + " here"}
	}
	text := fmt.Sprintf("no row of the %s set has safety labels %s: every answer counts as safe, and %s here",
		s.Name, names, loss)
	switch {
	case l.Without == 0:
		text = fmt.Sprintf("%d of %d rows of the %s set have only one of their two safety labels %s: the other answer "+
			"counts as safe", l.Half, s.Taken, s.Name, names)
	case l.Without < s.Taken:
		half := ""
		if l.Half > 0 {
			half = fmt.Sprintf(", and %d have only one of the two", l.Half)
		}
		text = fmt.Sprintf("%d of %d rows of the %s set have no safety labels %s%s: answers without a label count as safe, "+
			"and %s on pairs without any", l.Without, s.Taken, s.Name, names, half, loss)
	}
	advice := "; set unlabelled: safe to accept this"
	if s.Name != bufferSet {
		advice += ", or unlabelled: drop to leave such rows out"
	}
	return []string{"warning: " + text + advice}
}

// noteHeldOutLabels says that held-out pairs lack safety labels, by which an evaluation groups them. It is no warning
// that no pair has labels: such a set is about helpfulness.
func noteHeldOutLabels(s Set) []string {
	switch l := s.Unlabelled; {
	case l.Without+l.Half == 0:
		return nil
	case l.Without == s.Taken:
		return []string{"no held-out pair has safety labels: every answer counts as safe"}
	default:
		return []string{fmt.Sprintf("warning: %d of %d held-out pairs lack one or both safety labels (is_chosen_safe, "+
			"is_rejected_safe): answers without a label count as safe", l.Without+l.Half, s.Taken)}
	}
}

// noteTexts returns a note about rows of text where the model has a chat template.
func noteTexts(s Set, hasTemplate bool) []string {
	if s.Texts == 0 || !hasTemplate {
		return nil
	}
	return []string{fmt.Sprintf("rows of text: %d of %d; they are used as they stand, without the model's chat "+
		"template (as in TRL); write lists of messages, [{role, content}, …], to have it applied", s.Texts, s.Taken)}
}
