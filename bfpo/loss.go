package bfpo

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Outcome is what a loss reads of P pairs: for each response its log-ratio log pi(y|x) - log pi_ref(y|x), in nats, and
// whether it is labelled safe. Beta times the log-ratio is the response's reward.
type Outcome struct {
	ChosenLogRatio, RejectedLogRatio *Node // [P] f32
	ChosenSafe, RejectedSafe         *Node // [P] f32, 1 where the response is labelled safe

	// The policy's log pi(y|x) divided by the tokens of y, in nats: [P] f32. Nil unless Objective.PerToken.
	ChosenPerToken, RejectedPerToken *Node
}

// Margin is by how many nats more than the reference model the policy prefers the chosen response:
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
// (unsafe, unsafe). Of two safe answers, the target is IPO's. An unsafe chosen answer is pushed below the rejected one,
// even if both are unsafe.
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

// DPOLoss is the direct preference loss of each pair (arXiv 2305.18290, eq. 7). With e above 0 it is
// conservative DPO, TRL's label_smoothing (E. Mitchell, A note on DPO with noisy preferences, 2023):
//
//	L = -(1-e) log sigmoid(beta h) - e log sigmoid(-beta h)
//
// e is the share of pairs whose chosen and rejected answers are taken to be swapped.
func DPOLoss(o Outcome, beta, e float64) *Node { // [P]
	loss := Softplus(MulScalar(o.Margin(), -beta))
	if e == 0 {
		return loss
	}
	return Add(MulScalar(loss, 1-e), MulScalar(Softplus(MulScalar(o.Margin(), beta)), e))
}

// SFTLoss is the negative log-likelihood of each row's target tokens, in nats. A step divides the sum over its rows by
// the number of its target tokens.
//
//	L = -sum_t log pi(y_t | y_<t)
func SFTLoss(logProb *Node) *Node { // [rows] -> [rows]
	return Neg(logProb)
}
