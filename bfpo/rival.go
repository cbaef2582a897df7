package bfpo

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// RobustLoss is the loss of Robust DPO for each pair (arXiv 2403.00409; TRL's robust), an unbiased estimate of
// DPO's loss if chosen and rejected are swapped at random in a share e of the pairs:
//
//	L = (-(1-e) log sigmoid(beta h) + e log sigmoid(-beta h)) / (1-2e)
func RobustLoss(o Outcome, beta, e float64) *Node { // [P]
	kept, swapped := Softplus(MulScalar(o.Margin(), -beta)), Softplus(MulScalar(o.Margin(), beta))
	return DivScalar(Sub(MulScalar(kept, 1-e), MulScalar(swapped, e)), 1-2*e)
}

// HingeLoss is the hinge loss of RSO for each pair (arXiv 2309.06657; TRL's hinge), SLiC's with a reference
// model:
//
//	L = max(0, 1 - beta h)
func HingeLoss(o Outcome, beta float64) *Node { // [P]
	return MaxScalar(OneMinus(MulScalar(o.Margin(), beta)), 0)
}

// EXOLoss is the loss of exact preference optimization for each pair (arXiv 2402.00856, eq. 16; TRL's exo_pair): the
// divergence of p = sigmoid(beta h) from the choices, of which a share e above 0 is taken to be swapped:
//
//	L = p (log p - log(1-e)) + (1-p) (log(1-p) - log e)
func EXOLoss(o Outcome, beta, e float64) *Node { // [P]
	reward := MulScalar(o.Margin(), beta)
	kept := Mul(Sigmoid(reward), AddScalar(Neg(Softplus(Neg(reward))), -math.Log(1-e)))
	swapped := Mul(Sigmoid(Neg(reward)), AddScalar(Neg(Softplus(reward)), -math.Log(e)))
	return Add(kept, swapped)
}

// NCALoss is the loss of noise contrastive alignment for each pair (arXiv 2402.05369; TRL's nca_pair), where r is
// beta times the log-ratio of a response:
//
//	L = -log sigmoid(r_c) - 1/2 log sigmoid(-r_c) - 1/2 log sigmoid(-r_r)
func NCALoss(o Outcome, beta float64) *Node { // [P]
	chosen, rejected := MulScalar(o.ChosenLogRatio, beta), MulScalar(o.RejectedLogRatio, beta)
	noise := MulScalar(Add(Softplus(chosen), Softplus(rejected)), 0.5)
	return Add(Softplus(Neg(chosen)), noise)
}

// SPPOLoss is the loss of self-play preference optimization of each pair (arXiv 2405.00675, eq. 4.7; TRL's sppo_hard),
// where the chosen response wins with certainty and d is the log-ratio of a response:
//
//	L = (d_c - 1/(2 beta))^2 + (d_r + 1/(2 beta))^2
func SPPOLoss(o Outcome, beta float64) *Node { // [P]
	target := 1 / (2 * beta)
	return Add(Square(AddScalar(o.ChosenLogRatio, -target)), Square(AddScalar(o.RejectedLogRatio, target)))
}

// APOZeroLoss is the loss of anchored preference optimization for each pair (arXiv 2408.06266, eq. 7; TRL's apo_zero),
// for chosen responses that are better than the model's: it makes them likelier and rejected responses less likely. r
// is beta times the log-ratio of a response:
//
//	L = 1 - sigmoid(r_c) + sigmoid(r_r)
func APOZeroLoss(o Outcome, beta float64) *Node { // [P]
	chosen, rejected := MulScalar(o.ChosenLogRatio, beta), MulScalar(o.RejectedLogRatio, beta)
	return Add(Sigmoid(Neg(chosen)), Sigmoid(rejected))
}

// APODownLoss is the loss of anchored preference optimization for each pair (arXiv 2408.06266, eq. 8; TRL's apo_down),
// for chosen responses that are worse than the model's: it makes both responses less likely, the rejected one more so.
// r is beta times the log-ratio of a response:
//
//	L = sigmoid(r_c) + 1 - sigmoid(beta h)
func APODownLoss(o Outcome, beta float64) *Node { // [P]
	return Add(Sigmoid(MulScalar(o.ChosenLogRatio, beta)), Sigmoid(MulScalar(o.Margin(), -beta)))
}

// BCOLoss is the loss of binary classifier optimization for each pair without its shift of the rewards (arXiv
// 2404.04656; TRL's bco_pair), where r is beta times the log-ratio of a response:
//
//	L = -log sigmoid(r_c) - log sigmoid(-r_r)
func BCOLoss(o Outcome, beta float64) *Node { // [P]
	return Add(Softplus(MulScalar(o.ChosenLogRatio, -beta)), Softplus(MulScalar(o.RejectedLogRatio, beta)))
}

// DiscoPOPLoss is the loss that DiscoPOP found for each pair (arXiv 2406.08414, eq. 5; TRL's discopop), a mixture of
// the logistic and the exponential loss, with m = sigmoid(beta h / tau):
//
//	L = -(1-m) log sigmoid(beta h) + m exp(-beta h)
func DiscoPOPLoss(o Outcome, beta, tau float64) *Node { // [P]
	reward := MulScalar(o.Margin(), beta)
	logistic := Mul(Sigmoid(DivScalar(reward, -tau)), Softplus(Neg(reward)))
	// log m is added in the exponent: m is 0 where exp(-beta h) overflows.
	return Add(logistic, Exp(Neg(Add(Softplus(DivScalar(reward, -tau)), reward))))
}

// SafeDPOLoss is SafeDPO's loss of each pair (arXiv 2505.20065), DPO's with the safety labels above the preference. If
// exactly one response is safe, it counts as chosen, and its lead has to be delta larger; u is 1 then and else 0, and v
// is -1 if the safe response is the rejected one and else 1:
//
//	L = -log sigmoid(v beta h - u delta)
//
// The paper leaves out pairs of two unsafe responses, see Objective.Uses; this function takes them as DPO does.
func SafeDPOLoss(o Outcome, beta, delta float64) *Node { // [P]
	difference := Sub(o.ChosenSafe, o.RejectedSafe)
	one := Square(difference)
	sign := Add(OneMinus(one), difference)
	return Softplus(Sub(MulScalar(one, delta), Mul(sign, MulScalar(o.Margin(), beta))))
}

// MODPOLoss is the loss of multi-objective DPO of each pair (arXiv 2310.03708, eq. 7) where the pairs are about
// helpfulness and the other reward is the safety label: m, the difference of the labels, stands for the margin of a
// reward model whose reward is 1 for a safe response and 0 for another. w is the weight of safety, from 0 to below 1:
//
//	L = -log sigmoid((beta h - w m) / (1-w))
//
// With w = 0 it is DPO's.
func MODPOLoss(o Outcome, beta, w float64) *Node { // [P]
	m := Sub(o.ChosenSafe, o.RejectedSafe)
	return Softplus(DivScalar(Sub(MulScalar(m, w), MulScalar(o.Margin(), beta)), 1-w))
}

// SimPOLoss is the loss of simple preference optimization of each pair (arXiv 2405.14734, eq. 6; TRL's CPO with
// loss_type simpo), where l is the policy's log-probability of a response divided by its tokens. It has no reference
// model:
//
//	L = -log sigmoid(beta (l_c - l_r) - gamma)
func SimPOLoss(o Outcome, beta, gamma float64) *Node { // [P]
	return Softplus(AddScalar(MulScalar(Sub(o.RejectedPerToken, o.ChosenPerToken), beta), gamma))
}

// ORPOLoss is the loss of odds ratio preference optimization of each pair (arXiv 2403.07691, eq. 6), where l is the
// policy's log-probability of a response divided by its tokens. It has no reference model:
//
//	L = -l_c - beta log sigmoid(log odds(y_c) - log odds(y_r)),   odds(y) = e^l / (1 - e^l)
//
// TRL counts the tokens of the prompt in the first term too; here, as in the paper, it is about the response.
func ORPOLoss(o Outcome, beta float64) *Node { // [P]
	ratio := Sub(logOdds(o.ChosenPerToken), logOdds(o.RejectedPerToken))
	return Add(Neg(o.ChosenPerToken), MulScalar(Softplus(Neg(ratio)), beta))
}

// logOdds returns log(p / (1-p)) of p = e^l. An l above -1e-6, whose odds would overflow, counts as -1e-6. 1 - e^l is
// computed as tanh(-l/2) (1 + e^l), which loses no digits near 0.
func logOdds(l *Node) *Node { // [P]
	l = MinScalar(l, -1e-6)
	return Sub(l, Add(Log(Tanh(MulScalar(l, -0.5))), Softplus(l)))
}
