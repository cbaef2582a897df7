package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Estimate is a mean over N rows with its standard error. N = 0 is no estimate; N = 1 has no standard error.
type Estimate struct {
	Mean, StdErr float64
	N            int
}

// NewEstimate is the mean of the values and its standard error:
//
//	stderr = sqrt( sum (x - mean)^2 / (n - 1) ) / sqrt(n)
func NewEstimate(values []float64) Estimate {
	e := Estimate{N: len(values)}
	if e.N == 0 {
		return e
	}
	for _, x := range values {
		e.Mean += x / float64(e.N)
	}
	if e.N == 1 {
		return e
	}
	var squares float64
	for _, x := range values {
		squares += (x - e.Mean) * (x - e.Mean)
	}
	e.StdErr = math.Sqrt(squares / float64(e.N-1) / float64(e.N))
	return e
}

// Better says which way a quantity should move.
type Better int

// The directions of Better.
const (
	HigherIsBetter Better = iota
	LowerIsBetter
	NeitherIsBetter
)

// ComparisonRow is one quantity measured on the same rows before and after training.
type ComparisonRow struct {
	Group         string // heading shared by consecutive rows, e.g. "safe over unsafe"
	Name          string // e.g. "preference accuracy"
	Unit          string // "%" shows the numbers times 100; else it is written behind them, e.g. "nat"
	Better        Better
	Before, After Estimate
	Change        Estimate // of the rows' own differences: its standard error is smaller than that of two separate samples
}

// NewComparisonRow compares the values of the same rows, in the same order, before and after. It panics where the lengths differ.
func NewComparisonRow(group, name, unit string, better Better, before, after []float64) ComparisonRow {
	if len(before) != len(after) {
		panic(fmt.Errorf("%s, %s: %d values before, %d after", group, name, len(before), len(after)))
	}
	change := make([]float64, len(before))
	for i := range before {
		change[i] = after[i] - before[i]
	}
	return ComparisonRow{
		Group: group, Name: name, Unit: unit, Better: better,
		Before: NewEstimate(before), After: NewEstimate(after), Change: NewEstimate(change),
	}
}

// Verdict is one of "better", "worse", "changed", "within noise" (the change is at most two standard errors), "same" and "" (nothing measured).
func (r ComparisonRow) Verdict() string {
	switch {
	case r.Change.N == 0:
		return ""
	case r.Change.Mean == 0 && r.Change.StdErr == 0:
		return "same"
	case math.Abs(r.Change.Mean) <= 2*r.Change.StdErr || r.Change.N == 1:
		return "within noise"
	case r.Better == NeitherIsBetter:
		return "changed"
	case (r.Change.Mean > 0) == (r.Better == HigherIsBetter):
		return "better"
	}
	return "worse"
}

// sign is the arrow before the verdict: where the number went, whether that is good or not.
func (r ComparisonRow) sign() string {
	switch verdict := r.Verdict(); {
	case verdict == "":
		return ""
	case verdict == "same":
		return "="
	case verdict == "within noise":
		return "≈"
	case r.Change.Mean > 0:
		return "↑"
	}
	return "↓"
}

// decimals is how many decimals some of the row's numbers need: one for per cent, else two significant digits of their largest standard error, or four of the first that is not zero.
func (r ComparisonRow) decimals(of ...Estimate) int {
	if r.Unit == "%" {
		return 1
	}
	scale, digits := 0.0, 2
	for _, e := range of {
		scale = max(scale, e.StdErr)
	}
	for _, e := range of {
		if scale == 0 {
			scale, digits = math.Abs(e.Mean), 4
		}
	}
	if scale == 0 {
		return 1
	}
	return min(max(digits-1-int(math.Floor(math.Log10(scale))), 0), 6)
}

func (r ComparisonRow) factor() float64 {
	if r.Unit == "%" {
		return 100
	}
	return 1
}

// cells are the numbers of the row as text: mean ± standard error.
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
	return format(r.Before, measured, false), format(r.After, measured, false), format(r.Change, max(measured, r.decimals(r.Change)), true)
}

// title is the row's name with its unit.
func (r ComparisonRow) title() string {
	title := r.Name
	if r.Unit != "" {
		title += ", " + r.Unit
	}
	return title
}

func (r ComparisonRow) rows() string { return strconv.Itoa(max(r.Before.N, r.After.N)) }
