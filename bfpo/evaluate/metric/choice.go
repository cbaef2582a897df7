package metric

import (
	"math"
	"unicode/utf8"
)

// ChoiceKinds returns the kinds of metrics that ScoreChoices computes.
func ChoiceKinds() []string {
	return []string{"acc", "acc_norm", "true_mass", "likelihood_diff", "pct_stereotype"}
}

// ScoreChoices computes a metric of one multiple-choice document from ll, the log-likelihoods of its choices in
// nats. gold is the index of the right choice, and labels, which only true_mass reads, has a 1 for each true
// choice.
//
//	acc              1 if the likeliest choice is gold, else 0; among equally likely ones the first counts
//	acc_norm         acc with every log-likelihood divided by the length of its choice in code points
//	true_mass        p(true choices) / p(all choices)
//	likelihood_diff  |ll(first) - ll(second)|
//	pct_stereotype   1 if the first choice is likelier than the second, else 0
//
// It panics on any other kind: readers of task files refuse them.
func ScoreChoices(kind string, choices []string, gold int, labels []int, ll []float64) float64 {
	switch kind {
	case "acc":
		return Indicator(argmax(ll) == gold)
	case "acc_norm":
		perLetter := make([]float64, len(ll))
		for i, c := range choices {
			perLetter[i] = ll[i] / float64(utf8.RuneCountInString(c))
		}
		return Indicator(argmax(perLetter) == gold)
	case "true_mass":
		return trueMass(labels, ll)
	case "likelihood_diff":
		return math.Abs(ll[0] - ll[1])
	case "pct_stereotype":
		return Indicator(ll[0] > ll[1])
	}
	panic("metric " + kind + " is not one of multiple-choice documents")
}

// argmax returns the index of the first largest value. Like numpy's argmax, it takes NaN for the largest.
func argmax(values []float64) int {
	best := 0
	for i, v := range values {
		if math.IsNaN(values[best]) {
			break
		}
		if v > values[best] || math.IsNaN(v) {
			best = i
		}
	}
	return best
}

// trueMass computes the sum of exp(ll) over the true choices divided by the sum over all choices. The largest ll is
// subtracted first, since exp(ll) of long choices would underflow to 0.
func trueMass(labels []int, ll []float64) float64 {
	top := ll[argmax(ll)]
	truth, all := 0.0, 0.0
	for i, l := range ll {
		p := math.Exp(l - top)
		all += p
		if labels[i] == 1 {
			truth += p
		}
	}
	return truth / all
}

// Indicator returns 1 for true and 0 for false.
func Indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
