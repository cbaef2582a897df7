package bfpo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

// Objective names a loss and holds its hyperparameters.
type Objective struct {
	Name            string // one of Objectives
	Beta, B1, Alpha float64
	LabelSmoothing  float64 // the share of pairs whose answers are taken to be swapped
	DiscoPOPTau     float64
	SafeDPODelta    float64
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

// ReadsLabels reports whether the loss depends on the safety labels of a pair.
func (o Objective) ReadsLabels() bool { return o.Name == "bfpo" || o.Name == "safe_dpo" }

// Uses reports whether the objective trains on pairs with these safety labels.
func (o Objective) Uses(chosenSafe, rejectedSafe bool) bool {
	return o.Name != "safe_dpo" || chosenSafe || rejectedSafe
}

// Direction is 1 if the objective moves the policy from the reference model towards the chosen response of a pair, -1
// if towards the rejected one, and 0 if it does not train on such pairs.
func (o Objective) Direction(chosenSafe, rejectedSafe bool) int {
	target, ok := o.Target(chosenSafe, rejectedSafe)
	switch {
	case !o.Uses(chosenSafe, rejectedSafe):
		return 0
	case ok && target < 0, o.Name == "safe_dpo" && !chosenSafe:
		return -1
	}
	return 1
}

// Unlabelled says which loss a pair without safety labels has, such as "BFPO is IPO": both its answers count as safe.
// It is "" for an objective that reads no labels.
func (o Objective) Unlabelled() string {
	switch {
	case o.Name == "safe_dpo":
		return "SafeDPO is DPO"
	case o.Name != "bfpo":
		return ""
	case o.Alpha == 0.5:
		return "BFPO is IPO"
	case o.Alpha < 1: // the target (1-alpha)/beta is 1/(2 beta') of an IPO with beta'
		return fmt.Sprintf("BFPO is IPO with beta %.3g", o.Beta/(2*(1-o.Alpha)))
	}
	return fmt.Sprintf("BFPO is a squared distance of the margin from (1-alpha)/beta = %.3g", (1-o.Alpha)/o.Beta)
}

// hyperparameter is a value of an objective, with its recipe key.
type hyperparameter struct {
	key, symbol string
	value       float64
}

// hyperparameters returns all that any objective has.
func (o Objective) hyperparameters() []hyperparameter {
	return []hyperparameter{
		{"beta", "β", o.Beta}, {"b1", "b₁", o.B1}, {"alpha", "α", o.Alpha},
		{"label_smoothing", "ε", o.LabelSmoothing}, {"discopop_tau", "τ", o.DiscoPOPTau},
		{"safe_dpo_delta", "δ", o.SafeDPODelta},
	}
}

// Validate refuses an unknown name and values without meaning. Its error is "KEY: what is wrong", with the key of a
// recipe, so that package recipe can name the line of that key.
func (o Objective) Validate() error {
	if !slices.Contains(Objectives(), o.Name) {
		return fmt.Errorf("objective: %q is unknown; one of %s", o.Name, strings.Join(Objectives(), ", "))
	}
	if !o.Preference() {
		return nil // sft reads none of the keys: they are for other stages of a recipe
	}
	keys := o.kind().keys
	for _, p := range o.hyperparameters() {
		reads := slices.Contains(keys, p.key)
		switch {
		case p.key == "label_smoothing" && !reads && p.value != 0:
			return fmt.Errorf("label_smoothing: %s does not read it: leave it out, or choose one of %s", o.Name,
				strings.Join(readersOf(p.key), ", "))
		case p.key == "label_smoothing" && o.Name == "exo_pair" && p.value == 0:
			return errors.New("label_smoothing: must be greater than 0 for exo_pair, such as 0.001")
		case p.key == "label_smoothing" && !(p.value >= 0 && p.value < 0.5):
			return fmt.Errorf("label_smoothing: must be at least 0 and less than 0.5, got %v", p.value)
		case p.key == "safe_dpo_delta" && reads && !(p.value >= 0 && !math.IsInf(p.value, 0)):
			return fmt.Errorf("safe_dpo_delta: must be at least 0, got %v", p.value)
		case p.key == "b1" && reads && !(p.value > 1):
			return fmt.Errorf("b1: must be greater than 1 for b3 = 1/(b1-1), got %v", p.value)
		case (p.key == "beta" || p.key == "discopop_tau") && reads && !(p.value > 0):
			return fmt.Errorf("%s: must be greater than 0, got %v", p.key, p.value)
		}
	}
	return nil
}

// readersOf lists the objectives that read a hyperparameter, by its recipe key.
func readersOf(key string) (names []string) {
	for _, k := range kinds() {
		if slices.Contains(k.keys, key) {
			names = append(names, k.name)
		}
	}
	return names
}

// Unread lists the recipe keys of hyperparameters that the loss does not read.
func (o Objective) Unread() (keys []string) {
	for _, p := range o.hyperparameters() {
		if !slices.Contains(o.kind().keys, p.key) {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// Loss is the preference loss of each pair. It panics for sft, which compares nothing, and for an unknown name.
func (o Objective) Loss(out Outcome) *Node { // [P]
	loss := o.kind().loss
	if loss == nil {
		panic(fmt.Errorf("objective %q has no pairwise loss", o.Name))
	}
	return loss(o, out)
}

// Target is the only margin, in nats, at which a pair's loss is zero. Ok is false for objectives that have none, or
// many.
func (o Objective) Target(chosenSafe, rejectedSafe bool) (nats float64, ok bool) {
	switch o.Name {
	case "ipo":
		return 1 / (2 * o.Beta), true
	case "exo_pair":
		return math.Log(1/o.LabelSmoothing-1) / o.Beta, true
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

// Unit is the unit of the loss, "" for a number without one.
func (o Objective) Unit() string { return o.kind().unit }

// Equation is the loss in plain text on several lines, with what its symbols mean and the values of its
// hyperparameters.
func (o Objective) Equation() string {
	k := o.kind()
	lines := []string{"L = " + k.equation}
	if strings.Contains(k.equation, "h") && o.Preference() { // no other symbol has an h
		lines = append(lines, "h = (log π(y_c|x) − log π(y_r|x)) − (log π_ref(y_c|x) − log π_ref(y_r|x))")
	}
	if strings.Contains(k.equation, "d_c") {
		lines = append(lines, "d = log π(y|x) − log π_ref(y|x)")
	}
	if o.Name == "safe_dpo" {
		lines = append(lines, "u = 1 if one answer is safe, else 0,   v = −1 if that is y_r, else 1")
	} else if o.ReadsLabels() {
		lines = append(lines, "s = b₁b₃·safe(y_c) − b₃·safe(y_r) − α,   b₃ = 1/(b₁−1)")
	}
	var values []string
	for _, p := range o.hyperparameters() {
		if slices.Contains(k.keys, p.key) {
			values = append(values, fmt.Sprintf("%s = %g", p.symbol, p.value))
		}
	}
	if len(values) > 0 {
		lines = append(lines, strings.Join(values, ", "))
	}
	return strings.Join(lines, "\n")
}

// String is the objective's name with its hyperparameters, such as "bfpo, beta 0.1, b1 3, alpha 0.5".
func (o Objective) String() string {
	text := o.Name
	for _, p := range o.hyperparameters() {
		if slices.Contains(o.kind().keys, p.key) && (p.key != "label_smoothing" || p.value != 0) {
			text += fmt.Sprintf(", %s %g", p.key, p.value)
		}
	}
	return text
}
