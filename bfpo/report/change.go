package report

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// The rule for verdicts, the same in every table: a change is tested from MinRows rows on, and counts as real where its
// p-value is below Alpha.
const (
	Alpha   = 0.05
	MinRows = 10
)

// Verdicts on a change. Where neither direction is better, a real change is verdictChanged.
const (
	verdictBetter  = "better"
	verdictWorse   = "worse"
	verdictChanged = "changed"
	verdictNoise   = "within noise"
	verdictSame    = "same"
	verdictTooFew  = "too few rows"
)

// VerdictRule explains the verdicts below a table.
func VerdictRule() string {
	return fmt.Sprintf("“%s”: p ≥ %g in a paired test (exact sign test of right and wrong answers,\n"+
		"t-test of other numbers); “%s”: fewer than %d, no test.", verdictNoise, Alpha, verdictTooFew, MinRows)
}

// Change is the mean of differences between the same rows in two states, with the p-value of the hypothesis that it
// is 0.
type Change struct {
	Estimate
	P float64 // two-sided; only where Tested
}

// NewChange returns the mean change of paired differences and tests it.
//
// Differences of -1, 0 and 1, from right and wrong answers, are tested by the exact sign test (McNemar's): of the n
// rows on which the two states differ, k favor one of them,
//
//	p = 2 * P(X <= min(k, n-k)),  X ~ Binomial(n, 1/2)
//
// Other differences are tested by Student's paired t-test: t = mean / (s / sqrt(n)) with n-1 degrees of freedom.
func NewChange(differences []float64) Change {
	c := Change{Estimate: NewEstimate(differences)}
	if !c.Tested() {
		return c
	}
	up, down, whole := 0, 0, true
	for _, d := range differences {
		switch d {
		case 1:
			up++
		case -1:
			down++
		case 0:
		default:
			whole = false
		}
	}
	c.P = tTest(differences)
	if whole {
		c.P = SignTest(up, down)
	}
	return c
}

// NewMeanChange returns a change that was averaged over independent changes, each of at least e.N rows. It is tested
// by the normal distribution.
func NewMeanChange(e Estimate) Change {
	return Change{Estimate: e, P: math.Erfc(math.Abs(e.Mean) / e.StdErr / math.Sqrt2)}
}

// Tested reports whether there are rows enough for a test.
func (c Change) Tested() bool { return c.N >= MinRows }

// Verdict judges the change: "better", "worse", "changed" (where neither direction is better), "within noise", "same",
// "too few rows", or "" if nothing was measured.
func (c Change) Verdict(b Direction) string {
	switch {
	case c.N == 0:
		return ""
	case !c.Tested():
		return verdictTooFew
	case c.Mean == 0 && c.StdErr == 0:
		return verdictSame
	case !(c.P < Alpha):
		return verdictNoise
	case b == NeitherIsBetter:
		return verdictChanged
	case (c.Mean > 0) == (b == HigherIsBetter):
		return verdictBetter
	}
	return verdictWorse
}

// SignedVerdict returns the verdict after its symbol: an arrow shows the direction of a real change, good or bad.
func (c Change) SignedVerdict(b Direction) string {
	verdict := c.Verdict(b)
	switch {
	case verdict == "" || verdict == verdictTooFew:
		return verdict
	case verdict == verdictSame:
		return "= " + verdict
	case verdict == verdictNoise:
		return "≈ " + verdict
	case c.Mean > 0:
		return "↑ " + verdict
	}
	return "↓ " + verdict
}

// Class returns the CSS class of the verdict: better, worse or neutral.
func (c Change) Class(b Direction) string {
	if verdict := c.Verdict(b); verdict == verdictBetter || verdict == verdictWorse {
		return verdict
	}
	return "neutral"
}

// SignTest returns the two-sided p-value of the exact sign test, McNemar's: how likely up and down changes are to be so
// unequal by chance.
func SignTest(up, down int) float64 {
	n := up + down
	if n == 0 { // distuv has no binomial distribution of zero trials
		return 1
	}
	return min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(up, down))))
}

// tTest returns the p-value of Student's paired t-test.
func tTest(differences []float64) float64 {
	mean, deviation := stat.MeanStdDev(differences, nil)
	if deviation == 0 && mean == 0 { // no row changed
		return 1
	} else if deviation == 0 { // all rows changed by as much
		return 0
	}
	n := float64(len(differences))
	t := math.Abs(mean) / stat.StdErr(deviation, n)
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Survival(t)
}
