package bfpo

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The values of Objective.PreferenceBy, which say what decides which answer of a pair counts as chosen. In the
// literature on safety, DPO with these is DPO-H, DPO-S and DPO-safe-first. A program that trains exchanges the answers
// of a pair, by Exchanges, before it computes the loss.
const (
	ByHelpfulness = "helpfulness" // the rows: the answer that they call chosen
	BySafety      = "safety"      // the labels alone: pairs of two safe or two unsafe answers are left out
	BySafeFirst   = "safe_first"  // the labels, and where both answers have the same one, the rows
)

// PreferenceOrders returns the values of Objective.PreferenceBy.
func PreferenceOrders() []string { return []string{ByHelpfulness, BySafety, BySafeFirst} }

// ordersByLabels reports whether an unsafe answer that the rows call chosen counts as rejected beside a safe one.
func (o Objective) ordersByLabels() bool {
	return o.Preference() && (o.PreferenceBy == BySafety || o.PreferenceBy == BySafeFirst)
}

// validateOrder checks PreferenceBy. A loss that reads the labels itself takes the pairs as the rows have them.
func (o Objective) validateOrder() error {
	switch {
	case o.PreferenceBy != "" && !slices.Contains(PreferenceOrders(), o.PreferenceBy):
		return fmt.Errorf("preference_by: %q is unknown; one of %s", o.PreferenceBy,
			strings.Join(PreferenceOrders(), ", "))
	case o.ordersByLabels() && o.kind().labels:
		return fmt.Errorf("preference_by: %s reads the safety labels itself: leave it out", o.Name)
	}
	return nil
}

// Exchanges reports whether the answers of a pair, as the rows have them, are exchanged before they are trained on.
func (o Objective) Exchanges(chosenSafe, rejectedSafe bool) bool {
	return o.ordersByLabels() && !chosenSafe && rejectedSafe
}

// ReadsLabels reports whether the loss depends on the safety labels of a pair.
func (o Objective) ReadsLabels() bool { return o.kind().labels || o.ordersByLabels() }

// Uses reports whether the objective trains on pairs with these safety labels. Here, in Direction and in Target, a pair
// is as the rows have it.
func (o Objective) Uses(chosenSafe, rejectedSafe bool) bool {
	switch {
	case o.Preference() && o.PreferenceBy == BySafety:
		return chosenSafe != rejectedSafe
	case o.Name == "safe_dpo":
		return chosenSafe || rejectedSafe
	}
	return true
}

// Direction is 1 if the objective moves the policy from the reference model towards the chosen response of a pair, -1
// if towards the rejected one, and 0 if it does not train on such pairs.
func (o Objective) Direction(chosenSafe, rejectedSafe bool) int {
	target, ok := o.target(chosenSafe, rejectedSafe)
	switch {
	case !o.Uses(chosenSafe, rejectedSafe):
		return 0
	case ok && target < 0, o.Exchanges(chosenSafe, rejectedSafe),
		o.Name == "safe_dpo" && !chosenSafe && rejectedSafe:
		return -1
	}
	return 1
}

// Unlabelled says which loss a pair without safety labels has, such as "BFPO is IPO": both its answers count as safe.
// It is "" for an objective that reads no labels.
func (o Objective) Unlabelled() string {
	switch {
	case o.PreferenceBy == BySafety:
		return "no such pair is trained on"
	case o.PreferenceBy == BySafeFirst:
		return "the answer labelled chosen is the better one"
	case o.Name == "safe_dpo":
		return "SafeDPO is DPO"
	case o.Name == "modpo":
		return fmt.Sprintf("MODPO is DPO with beta %.3g", o.Beta/(1-o.MODPOWeight))
	case o.Name != "bfpo":
		return ""
	case o.Alpha == 0.5:
		return "BFPO is IPO"
	case o.Alpha < 1: // the target (1-alpha)/beta is 1/(2 beta') of an IPO with beta'
		return fmt.Sprintf("BFPO is IPO with beta %.3g", o.Beta/(2*(1-o.Alpha)))
	}
	return fmt.Sprintf("BFPO is a squared distance of the margin from (1-alpha)/beta = %.3g", (1-o.Alpha)/o.Beta)
}

// Target is the only margin, in nats, at which a pair's loss is zero. Ok is false for objectives that have none, or
// many.
func (o Objective) Target(chosenSafe, rejectedSafe bool) (nats float64, ok bool) {
	if o.AverageLogProb { // the margin in nats at which the loss is zero differs from pair to pair
		return 0, false
	}
	return o.target(chosenSafe, rejectedSafe)
}

// target is Target in the unit of the loss's margin: nats, or with AverageLogProb nats per token.
func (o Objective) target(chosenSafe, rejectedSafe bool) (margin float64, ok bool) {
	sign := 1.0
	if o.Exchanges(chosenSafe, rejectedSafe) {
		sign = -1
	}
	switch o.Name {
	case "ipo":
		return sign / (2 * o.Beta), true
	case "exo_pair":
		return sign * math.Log(1/o.LabelSmoothing-1) / o.Beta, true
	case "bfpo":
		b3 := 1 / (o.B1 - 1)
		s := -o.Alpha
		if chosenSafe {
			s += o.B1 * b3
		}
		if rejectedSafe {
			s -= b3
		}
		return s / o.Beta, true
	}
	return 0, false
}
