package bfpo

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Objective names a loss and holds its hyperparameters.
type Objective struct {
	Name            string // one of Objectives
	Beta, B1, Alpha float64
	LabelSmoothing  float64 // the share of pairs whose answers are taken to be swapped
	DiscoPOPTau     float64
	SafeDPODelta    float64
	PreferenceBy    string // one of PreferenceOrders: which answer of a pair counts as chosen; "": by helpfulness
}

// kind describes the objectives of one name.
type kind struct {
	name     string
	equation string // of the loss, in plain text, in terms of h, or of d_c and d_r; see Equation
	unit     string // of the loss: a log-likelihood is in nat, a squared margin in nat², a probability has none ("")
	keys     []string
	loss     func(o Objective, out Outcome) *Node // [P]; nil for sft, which compares no pairs
}

// kinds lists the objectives: BFPO, those that it is compared with, and supervised fine-tuning.
func kinds() []kind {
	beta, smooth := []string{"beta"}, []string{"beta", "label_smoothing"}
	return []kind{
		{"bfpo", "(h − s/β)²", "nat²", []string{"beta", "b1", "alpha"}, func(o Objective, out Outcome) *Node {
			return BFPOLoss(out, o.Beta, o.B1, o.Alpha)
		}},
		{"dpo", "−(1−ε) log σ(β h) − ε log σ(−β h)", "nat", smooth, func(o Objective, out Outcome) *Node {
			return DPOLoss(out, o.Beta, o.LabelSmoothing)
		}},
		{"ipo", "(h − 1/(2β))²", "nat²", beta, func(o Objective, out Outcome) *Node { return IPOLoss(out, o.Beta) }},
		{"robust", "(−(1−ε) log σ(β h) + ε log σ(−β h)) / (1−2ε)", "nat", smooth, func(o Objective, out Outcome) *Node {
			return RobustLoss(out, o.Beta, o.LabelSmoothing)
		}},
		{"hinge", "max(0, 1 − β h)", "β × nat", beta, func(o Objective, out Outcome) *Node {
			return HingeLoss(out, o.Beta)
		}},
		{"exo_pair", "p (log p − log(1−ε)) + (1−p) (log(1−p) − log ε),   p = σ(β h)", "nat", smooth,
			func(o Objective, out Outcome) *Node { return EXOLoss(out, o.Beta, o.LabelSmoothing) }},
		{"nca_pair", "−log σ(β d_c) − ½ log σ(−β d_c) − ½ log σ(−β d_r)", "nat", beta,
			func(o Objective, out Outcome) *Node { return NCALoss(out, o.Beta) }},
		{"bco_pair", "−log σ(β d_c) − log σ(−β d_r)", "nat", beta, func(o Objective, out Outcome) *Node {
			return BCOLoss(out, o.Beta)
		}},
		{"sppo_hard", "(d_c − 1/(2β))² + (d_r + 1/(2β))²", "nat²", beta, func(o Objective, out Outcome) *Node {
			return SPPOLoss(out, o.Beta)
		}},
		{"apo_zero", "1 − σ(β d_c) + σ(β d_r)", "", beta, func(o Objective, out Outcome) *Node {
			return APOZeroLoss(out, o.Beta)
		}},
		{"apo_down", "σ(β d_c) + 1 − σ(β h)", "", beta, func(o Objective, out Outcome) *Node {
			return APODownLoss(out, o.Beta)
		}},
		{"discopop", "−(1−m) log σ(β h) + m exp(−β h),   m = σ(β h/τ)", "nat", []string{"beta", "discopop_tau"},
			func(o Objective, out Outcome) *Node { return DiscoPOPLoss(out, o.Beta, o.DiscoPOPTau) }},
		{"safe_dpo", "−log σ(v β h − u δ)", "nat", []string{"beta", "safe_dpo_delta"},
			func(o Objective, out Outcome) *Node { return SafeDPOLoss(out, o.Beta, o.SafeDPODelta) }},
		{"sft", "−mean over tokens of log π(y_t | y_<t)", "nat per token", nil, nil},
	}
}

// kind returns what there is to know about the objective: nothing for an unknown name, which Validate refuses.
func (o Objective) kind() kind {
	for _, k := range kinds() {
		if k.name == o.Name {
			return k
		}
	}
	return kind{}
}

// Objectives returns the names of the objectives. All but sft compare pairs with a reference model.
func Objectives() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Preference reports whether the objective compares pairs with a reference model.
func (o Objective) Preference() bool { return o.Name != "sft" }
