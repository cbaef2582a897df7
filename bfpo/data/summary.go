package data

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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

// String describes the set on one line.
func (s SetSummary) String() string {
	line := fmt.Sprintf("%s: %d rows", s.Name, s.Rows)
	if s.Cases != (Cases{}) {
		line += fmt.Sprintf(" (safe/safe %d, safe/unsafe %d, unsafe/safe %d, unsafe/unsafe %d)",
			s.Cases.SafeSafe, s.Cases.SafeUnsafe, s.Cases.UnsafeSafe, s.Cases.UnsafeUnsafe)
	}
	for _, drop := range s.Drops {
		line += "; " + drop.String()
	}
	for _, note := range s.Notes {
		line += "; " + note
	}
	return line
}

// Cases counts preference pairs by the safety labels of (chosen, rejected).
type Cases struct {
	SafeSafe, SafeUnsafe, UnsafeSafe, UnsafeUnsafe int
}

// Drop is one reason for leaving rows out, or for cutting them, and how many rows it applied to.
type Drop struct {
	Reason string
	Rows   int
	First  string // the ids of the first of them
	Kept   bool   // the rows are used, without some of their tokens
}

// String describes the rows in a few words.
func (d Drop) String() string {
	if d.Kept {
		return fmt.Sprintf("%d shortened", d.Rows)
	}
	return fmt.Sprintf("%d dropped: %s (%s)", d.Rows, d.Reason, d.First)
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

// firstIDs lists the first ids of a list, and says whether there are more.
func firstIDs(ids []string) string {
	const shown = 3
	text := strings.Join(ids[:min(shown, len(ids))], ", ")
	if len(ids) > shown {
		text += ", …"
	}
	return text
}

// countDrops counts dropped rows by reason. Rows that were cut, and not dropped, come last.
func countDrops(d datasets.Drops) []Drop {
	var drops []Drop
	for _, reason := range slices.Sorted(maps.Keys(d.Dropped)) {
		ids := d.Dropped[reason]
		drops = append(drops, Drop{Reason: reason, Rows: len(ids), First: firstIDs(ids)})
	}
	if len(d.Cut) > 0 {
		drops = append(drops, Drop{Reason: "shortened, not left out", Rows: len(d.Cut), Kept: true})
	}
	return drops
}
