package data

import (
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
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

	Labels Labels // pairs only
	Texts  int    // rows of text, which no chat template rendered
}

// Labels counts the rows among Set.Taken that lack safety labels.
type Labels struct {
	Without int // rows of which neither answer has one
	Half    int // rows of which one answer has one
}

// Sets are the sets of a training stage. Buffer and HeldOut are empty if the recipe has none.
type Sets struct{ Main, Buffer, HeldOut Set }

// NonEmpty returns the sets that have rows.
func (s Sets) NonEmpty() []Set {
	return slices.DeleteFunc([]Set{s.Main, s.Buffer, s.HeldOut}, func(s Set) bool { return s.Rows == 0 })
}

// noteLabels returns a warning about the rows of a set of pairs that have no safety labels, if there are any: what BFPO
// does with them.
func noteLabels(s Set, c recipe.Config) []string {
	l := s.Labels
	if l.Without+l.Half == 0 || c.Unlabelled == "safe" {
		return nil
	}
	text := fmt.Sprintf("warning: no row of the %s set has safety labels (is_chosen_safe, is_rejected_safe): every "+
		"answer counts as safe, and BFPO is %s here", s.Name, describeIPO(c))
	if l.Without < s.Taken {
		text = fmt.Sprintf("warning: %d of %d rows of the %s set have no safety labels (is_chosen_safe, is_rejected_safe), "+
			"and %d have one of the two: answers without a label count as safe, and BFPO is %s on pairs without any",
			l.Without, s.Taken, s.Name, l.Half, describeIPO(c))
	}
	return []string{text + "; set unlabelled: safe to accept this, or unlabelled: drop to leave such rows out"}
}

// describeIPO says which loss BFPO is where both answers are safe: its target (1-alpha)/beta is IPO's, 1/(2 beta), for
// alpha 0.5, and else the target of an IPO with another beta.
func describeIPO(c recipe.Config) string {
	if c.Alpha == 0.5 {
		return "IPO"
	} else if c.Alpha < 1 {
		return fmt.Sprintf("IPO with beta %.3g", c.Beta/(2*(1-c.Alpha)))
	}
	return fmt.Sprintf("a squared distance of the margin from (1-alpha)/beta = %.3g", (1-c.Alpha)/c.Beta)
}

// noteTexts returns a note about rows of text where the model has a chat template.
func noteTexts(s Set, hasTemplate bool) []string {
	if s.Texts == 0 || !hasTemplate {
		return nil
	}
	return []string{fmt.Sprintf("rows of text: %d of %d; they are used as they stand, without the model's chat "+
		"template (as in TRL); write lists of messages, [{role, content}, …], to have it applied", s.Texts, s.Taken)}
}
