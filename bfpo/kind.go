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
	SimPOGamma      float64
	MODPOWeight     float64
	PreferenceBy    string // one of PreferenceOrders: which answer of a pair counts as chosen; "": by helpfulness
	AverageLogProb  bool   // the log-ratio of a response is divided by its tokens: Outcome has means
}

// kind describes the objectives of one name.
type kind struct {
	name     string
	equation string // of the loss, in plain text, in terms of h, or of d_c and d_r; see Equation
	symbols  string // what its other symbols mean
	unit     string // of the loss: a log-likelihood is in nat, a squared margin in nat², a probability has none ("")
	keys     []string
	labels   bool                                 // the loss depends on the safety labels of a pair
	perToken bool                                 // the loss reads log-probabilities per token, without a reference model
	loss     func(o Objective, out Outcome) *Node // [P]; nil for sft, which compares no pairs
}

// kinds lists the objectives: BFPO, those that it is compared with, and supervised fine-tuning.
func kinds() []kind {
	beta, smooth := []string{"beta"}, []string{"beta", "label_smoothing"}
	const meanLogProb = "ℓ = log π(y|x) / tokens of y"
	return []kind{
		{name: "bfpo", equation: "(h − s/β)²", unit: "nat²", keys: []string{"beta", "b1", "alpha"}, labels: true,
			symbols: "s = b₁b₃·safe(y_c) − b₃·safe(y_r) − α,   b₃ = 1/(b₁−1)",
			loss:    func(o Objective, out Outcome) *Node { return BFPOLoss(out, o.Beta, o.B1, o.Alpha) }},
		{name: "dpo", equation: "−(1−ε) log σ(β h) − ε log σ(−β h)", unit: "nat", keys: smooth,
			loss: func(o Objective, out Outcome) *Node { return DPOLoss(out, o.Beta, o.LabelSmoothing) }},
		{name: "ipo", equation: "(h − 1/(2β))²", unit: "nat²", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return IPOLoss(out, o.Beta) }},
		{name: "robust", equation: "(−(1−ε) log σ(β h) + ε log σ(−β h)) / (1−2ε)", unit: "nat", keys: smooth,
			loss: func(o Objective, out Outcome) *Node { return RobustLoss(out, o.Beta, o.LabelSmoothing) }},
		{name: "hinge", equation: "max(0, 1 − β h)", unit: "β × nat", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return HingeLoss(out, o.Beta) }},
		{name: "exo_pair", unit: "nat", keys: smooth,
			equation: "p (log p − log(1−ε)) + (1−p) (log(1−p) − log ε),   p = σ(β h)",
			loss:     func(o Objective, out Outcome) *Node { return EXOLoss(out, o.Beta, o.LabelSmoothing) }},
		{name: "nca_pair", equation: "−log σ(β d_c) − ½ log σ(−β d_c) − ½ log σ(−β d_r)", unit: "nat", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return NCALoss(out, o.Beta) }},
		{name: "bco_pair", equation: "−log σ(β d_c) − log σ(−β d_r)", unit: "nat", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return BCOLoss(out, o.Beta) }},
		{name: "sppo_hard", equation: "(d_c − 1/(2β))² + (d_r + 1/(2β))²", unit: "nat²", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return SPPOLoss(out, o.Beta) }},
		{name: "apo_zero", equation: "1 − σ(β d_c) + σ(β d_r)", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return APOZeroLoss(out, o.Beta) }},
		{name: "apo_down", equation: "σ(β d_c) + 1 − σ(β h)", keys: beta,
			loss: func(o Objective, out Outcome) *Node { return APODownLoss(out, o.Beta) }},
		{name: "discopop", equation: "−(1−m) log σ(β h) + m exp(−β h),   m = σ(β h/τ)", unit: "nat",
			keys: []string{"beta", "discopop_tau"},
			loss: func(o Objective, out Outcome) *Node { return DiscoPOPLoss(out, o.Beta, o.DiscoPOPTau) }},
		{name: "safe_dpo", equation: "−log σ(v β h − u δ)", unit: "nat", keys: []string{"beta", "safe_dpo_delta"},
			labels: true, symbols: "u = 1 if one answer is safe, else 0,   v = −1 if that is y_r, else 1",
			loss: func(o Objective, out Outcome) *Node { return SafeDPOLoss(out, o.Beta, o.SafeDPODelta) }},
		{name: "modpo", equation: "−log σ((β h − w m) / (1−w))", unit: "nat", keys: []string{"beta", "modpo_weight"},
			labels: true, symbols: "m = safe(y_c) − safe(y_r)",
			loss: func(o Objective, out Outcome) *Node { return MODPOLoss(out, o.Beta, o.MODPOWeight) }},
		{name: "simpo", equation: "−log σ(β (ℓ_c − ℓ_r) − γ)", unit: "nat", keys: []string{"beta", "simpo_gamma"},
			perToken: true, symbols: meanLogProb,
			loss: func(o Objective, out Outcome) *Node { return SimPOLoss(out, o.Beta, o.SimPOGamma) }},
		{name: "orpo", equation: "−ℓ_c − β log σ(log odds(y_c) − log odds(y_r))", unit: "nat", keys: beta,
			perToken: true, symbols: meanLogProb + ",   odds(y) = e^ℓ / (1 − e^ℓ)",
			loss: func(o Objective, out Outcome) *Node { return ORPOLoss(out, o.Beta) }},
		{name: "sft", equation: "−mean over tokens of log π(y_t | y_<t)", unit: "nat per token"},
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

// Objectives returns the names of the objectives. All but sft compare pairs.
func Objectives() (names []string) {
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	return names
}

// Preference reports whether the objective compares pairs.
func (o Objective) Preference() bool { return o.Name != "sft" }

// PerToken reports whether the loss reads the policy's log-probabilities per token, Outcome.ChosenPerToken, instead of
// ratios to a reference model.
func (o Objective) PerToken() bool { return o.kind().perToken }
