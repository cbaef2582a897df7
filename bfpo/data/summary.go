package data

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// SetSummary counts the rows of one set, for banners and reports.
type SetSummary struct {
	Name  string // main, buffer, held out
	Rows  int    // rows used
	Cases Cases
	Drops []Drop
	Notes []string // what the user should know about the rows, such as missing safety labels
}

// Cases counts preference pairs by the safety labels of (chosen, rejected).
type Cases struct {
	SafeSafe, SafeUnsafe, UnsafeSafe, UnsafeUnsafe int
}

// Drop is one reason for leaving rows out, and how many rows it applied to.
type Drop struct {
	Reason string
	Rows   int
}

// countCases counts pairs by their safety labels.
func countCases(pairs []batch.Pair) (cases Cases) {
	for _, p := range pairs {
		switch {
		case p.ChosenSafe && p.RejectedSafe:
			cases.SafeSafe++
		case p.ChosenSafe:
			cases.SafeUnsafe++
		case p.RejectedSafe:
			cases.UnsafeSafe++
		default:
			cases.UnsafeUnsafe++
		}
	}
	return cases
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

// countDrops counts dropped rows by reason; shortened rows come last.
func countDrops(d datasets.Drops) []Drop {
	var drops []Drop
	for _, reason := range slices.Sorted(maps.Keys(d.Dropped)) {
		drops = append(drops, Drop{reason, len(d.Dropped[reason])})
	}
	if len(d.Cut) > 0 {
		drops = append(drops, Drop{"shortened, not left out", len(d.Cut)})
	}
	return drops
}
