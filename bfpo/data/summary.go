package data

import (
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

// Drop is one reason for leaving rows out, or for cutting them, and how many rows it applied to.
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

// countDrops counts dropped rows by reason. Rows that were cut, and not dropped, come last.
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
