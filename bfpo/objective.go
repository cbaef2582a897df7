package bfpo

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
)

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
		{"safe_dpo_delta", "δ", o.SafeDPODelta}, {"simpo_gamma", "γ", o.SimPOGamma}, {"modpo_weight", "w", o.MODPOWeight},
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
	if err := o.validateOrder(); err != nil {
		return err
	}
	if o.AverageLogProb && o.PerToken() {
		return fmt.Errorf("average_log_prob: %s averages anyway: leave it out", o.Name)
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
		case (p.key == "safe_dpo_delta" || p.key == "simpo_gamma") && reads && !(p.value >= 0 && !math.IsInf(p.value, 0)):
			return fmt.Errorf("%s: must be at least 0, got %v", p.key, p.value)
		case p.key == "modpo_weight" && reads && !(p.value >= 0 && p.value < 1):
			return fmt.Errorf("modpo_weight: must be at least 0 and less than 1, got %v", p.value)
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

// Unit is the unit of the loss, "" for a number without one.
func (o Objective) Unit() string { return o.kind().unit }

// Equation is the loss in plain text on several lines, with what its symbols mean and the values of its
// hyperparameters.
func (o Objective) Equation() string {
	k := o.kind()
	lines := []string{"L = " + k.equation}
	readsMargin := strings.Contains(k.equation, "h") && o.Preference() // no other symbol has an h
	readsRatios := strings.Contains(k.equation, "d_c")
	switch {
	case o.AverageLogProb && readsMargin:
		lines = append(lines, "h = d_c − d_r,   d = (log π(y|x) − log π_ref(y|x)) / tokens of y")
	case o.AverageLogProb && readsRatios:
		lines = append(lines, "d = (log π(y|x) − log π_ref(y|x)) / tokens of y")
	case readsMargin:
		lines = append(lines, "h = (log π(y_c|x) − log π(y_r|x)) − (log π_ref(y_c|x) − log π_ref(y_r|x))")
	}
	if readsRatios && !o.AverageLogProb {
		lines = append(lines, "d = log π(y|x) − log π_ref(y|x)")
	}
	if o.ordersByLabels() {
		lines = append(lines, "y_c = the safe answer, if exactly one is safe")
	}
	if k.symbols != "" {
		lines = append(lines, k.symbols)
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
	if o.ordersByLabels() {
		text += ", preference_by " + o.PreferenceBy
	}
	if o.AverageLogProb {
		text += ", average_log_prob"
	}
	return text
}
