package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ComparisonRow is one quantity measured on the same rows before and after training.
type ComparisonRow struct {
	Group         string // heading shared by consecutive rows, e.g. "safe over unsafe"
	Name          string // e.g. "preference accuracy"
	Unit          string // e.g. "nat"; with "%" the values are shares, shown times 100
	Better        Direction
	Before, After Estimate // Before is empty for what only a trained model has, such as the share of rows that moved
	Change        Change   // of the differences row by row, which vary less than the values themselves
}

// NewComparisonRow compares the values of the same rows, in the same order, before and after training. It panics if
// the lengths differ.
func NewComparisonRow(group, name, unit string, better Direction, before, after []float64) ComparisonRow {
	if len(before) != len(after) {
		panic(fmt.Errorf("%s, %s: %d values before, %d after", group, name, len(before), len(after)))
	}
	change := make([]float64, len(before))
	for i := range before {
		change[i] = after[i] - before[i]
	}
	return ComparisonRow{
		Group: group, Name: name, Unit: unit, Better: better,
		Before: NewEstimate(before), After: NewEstimate(after), Change: NewChange(change),
	}
}

// verdict returns the verdict on the change with its symbol.
func (r ComparisonRow) verdict() string { return r.Change.SignedVerdict(r.Better) }

// decimals returns how many decimals to write estimates with: one for per cent; otherwise enough for two significant
// digits of the largest standard error, or for four of the first mean that is not zero if no estimate has an error.
func (r ComparisonRow) decimals(estimates ...Estimate) int {
	if r.Unit == "%" {
		return 1
	}
	scale, digits := 0.0, 2
	for _, e := range estimates {
		scale = max(scale, e.StdErr)
	}
	for _, e := range estimates {
		if scale == 0 {
			scale, digits = math.Abs(e.Mean), 4
		}
	}
	if scale == 0 {
		return 1
	}
	return min(max(digits-1-int(math.Floor(math.Log10(scale))), 0), 6)
}

// factor returns what the row's numbers are multiplied by before they are shown.
func (r ComparisonRow) factor() float64 {
	if r.Unit == "%" {
		return 100
	}
	return 1
}

// cells returns the row's numbers as text: mean ± standard error.
func (r ComparisonRow) cells() (before, after, change string) {
	factor := r.factor()
	format := func(e Estimate, decimals int, signed bool) string {
		if e.N == 0 {
			return "–"
		}
		text := strconv.FormatFloat(e.Mean*factor, 'f', decimals, 64)
		if signed && e.Mean > 0 {
			text = "+" + text
		}
		if e.N > 1 {
			text += " ± " + strconv.FormatFloat(e.StdErr*factor, 'f', decimals, 64)
		}
		return strings.ReplaceAll(text, "-", "−")
	}
	measured := r.decimals(r.Before, r.After)
	change = format(r.Change.Estimate, max(measured, r.decimals(r.Change.Estimate)), true)
	if r.Before.N == 0 {
		change = format(Estimate{}, 0, true) // After tells all; Change is what its verdict is about
	}
	return format(r.Before, measured, false), format(r.After, measured, false), change
}

// title returns the row's name with its unit.
func (r ComparisonRow) title() string {
	title := r.Name
	if r.Unit != "" {
		title += ", " + r.Unit
	}
	return title
}

// rowCount returns the number of measured rows as text.
func (r ComparisonRow) rowCount() string { return strconv.Itoa(max(r.Before.N, r.After.N)) }
