package bfpo

import (
	"fmt"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Outcome holds, for the responses of P pairs, how much more likely the policy makes each than the reference model
// does: log pi(y|x) - log pi_ref(y|x), in nats. Beta times that is the response's reward.
type Outcome struct {
	ChosenLogRatio, RejectedLogRatio *Node // [P] f32
	ChosenSafe, RejectedSafe         *Node // [P] f32, 1 where the response is labelled safe
}

// Margin is the log-ratio by which the policy prefers chosen to rejected more than the reference does, in nats:
//
//	h = (log pi(y_c|x) - log pi_ref(y_c|x)) - (log pi(y_r|x) - log pi_ref(y_r|x))
func (o Outcome) Margin() *Node { // [P]
	return Sub(o.ChosenLogRatio, o.RejectedLogRatio)
}

// BFPOLoss is the bi-factorial preference loss of each pair (arXiv 2408.15313; the original code's
// src/alignment/trainer/bfpo.py):
//
//	L = (h - s/beta)^2
//	s = b1*b3*I_safe(y_c) - b3*I_safe(y_r) - alpha,   b3 = 1/(b1-1)
//
// With b1 = 3 and alpha = 0.5, s is +0.5 for (safe, safe), +1 for (safe, unsafe), -1 for (unsafe, safe) and -0.5 for
// (unsafe, unsafe): a safe answer that helps more is pulled up as in IPO. An unsafe chosen answer is pushed below the
// rejected one, even if that is unsafe too.
func BFPOLoss(o Outcome, beta, b1, alpha float64) *Node { // [P]
	b3 := 1 / (b1 - 1)
	s := AddScalar(Sub(MulScalar(o.ChosenSafe, b1*b3), MulScalar(o.RejectedSafe, b3)), -alpha)
	return Square(Sub(o.Margin(), DivScalar(s, beta)))
}

// IPOLoss is the identity preference loss of each pair on summed log-probabilities (arXiv 2310.12036, eq. 17):
//
//	L = (h - 1/(2 beta))^2
//
// It equals BFPOLoss with b1 = 3, alpha = 0.5 where both responses are safe.
func IPOLoss(o Outcome, beta float64) *Node { // [P]
	return Square(AddScalar(o.Margin(), -1/(2*beta)))
}

// DPOLoss is the direct preference loss of each pair (arXiv 2305.18290, eq. 7):
//
//	L = -log sigmoid(beta h)
func DPOLoss(o Outcome, beta float64) *Node { // [P]
	return Softplus(MulScalar(o.Margin(), -beta))
}

// SFTLoss is the negative log-likelihood of each row's target tokens, in nats; its weight in a step is one over the
// step's tokens.
//
//	L = -sum_t log pi(y_t | y_<t)
func SFTLoss(logProb *Node) *Node { // [rows] -> [rows]
	return Neg(logProb)
}

// Objectives returns the names of the objectives: three that compare pairs, and sft, which imitates.
func Objectives() []string { return []string{"bfpo", "dpo", "ipo", "sft"} }

// Objective names a loss and holds its hyper-parameters.
type Objective struct {
	Name            string // one of Objectives
	Beta, B1, Alpha float64
}

// Preference reports whether the objective compares pairs against a reference.
func (o Objective) Preference() bool { return o.Name != "sft" }

// Validate refuses an unknown name and values without meaning. Its error is "KEY: what is wrong", with the key of a
// recipe, so that package recipe can name the line of that key.
func (o Objective) Validate() error {
	switch o.Name {
	case "sft":
		return nil
	case "bfpo":
		if !(o.B1 > 1) {
			return fmt.Errorf("b1: must be greater than 1 for b3 = 1/(b1-1), got %v", o.B1)
		}
	case "dpo", "ipo":
	default:
		return fmt.Errorf("objective: %q is unknown; one of %s", o.Name, strings.Join(Objectives(), ", "))
	}
	if !(o.Beta > 0) {
		return fmt.Errorf("beta: must be greater than 0, got %v", o.Beta)
	}
	return nil
}

// Loss is the preference loss of each pair. It panics for sft, which compares nothing.
func (o Objective) Loss(out Outcome) *Node { // [P]
	switch o.Name {
	case "bfpo":
		return BFPOLoss(out, o.Beta, o.B1, o.Alpha)
	case "ipo":
		return IPOLoss(out, o.Beta)
	case "dpo":
		return DPOLoss(out, o.Beta)
	}
	panic(fmt.Errorf("objective %q has no pairwise loss", o.Name))
}

// Target is the margin in nats at which a pair's loss is zero. Ok is false for DPO, whose loss is positive at every
// margin.
func (o Objective) Target(chosenSafe, rejectedSafe bool) (nats float64, ok bool) {
	switch o.Name {
	case "ipo":
		return 1 / (2 * o.Beta), true
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
