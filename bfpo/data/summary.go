package data

import (
	_ "embed"
	"maps"
	"slices"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// SetSummary is what a stage read from one set.
type SetSummary struct {
	Name  string // main, buffer, held out
	Rows  int    // used
	Cases Cases
	Drops []Drop
}

// Cases counts preference pairs by the safety labels of (chosen, rejected).
type Cases struct {
	SafeSafe, SafeUnsafe, UnsafeSafe, UnsafeUnsafe int
}

// Drop says why rows were left out, and how many.
type Drop struct {
	Reason string
	Rows   int
}

// casesOf counts pairs by their safety labels.
func casesOf(pairs []batch.Pair) (cases Cases) {
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

func dropsOf(d datasets.Drops) []Drop {
	var drops []Drop
	for _, reason := range slices.Sorted(maps.Keys(d.Dropped)) {
		drops = append(drops, Drop{reason, len(d.Dropped[reason])})
	}
	if len(d.Cut) > 0 {
		drops = append(drops, Drop{"shortened, not left out", len(d.Cut)})
	}
	return drops
}
