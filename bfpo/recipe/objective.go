package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo"
)

// UnreadKeys lists the keys of a preference objective that were given although the chosen one does not read them.
func (c Config) UnreadKeys() []string {
	o := c.TrainingObjective()
	if !o.Preference() {
		return nil // they are for other stages of a recipe
	}
	return slices.DeleteFunc(o.Unread(), func(key string) bool { return c.Origin(key) == "" })
}

// TrainingObjective returns the objective with its hyperparameters.
func (c Config) TrainingObjective() bfpo.Objective {
	return bfpo.Objective{
		Name: c.Objective, Beta: c.Beta, B1: c.B1, Alpha: c.Alpha, LabelSmoothing: c.LabelSmoothing,
		DiscoPOPTau: c.DiscoPOPTau, SafeDPODelta: c.SafeDPODelta, SimPOGamma: c.SimPOGamma, MODPOWeight: c.MODPOWeight,
		PreferenceBy: c.PreferenceBy, AverageLogProb: c.AverageLogProb,
	}
}

// settleObjective takes the objective from loss_type, TRL's key, if objective is not given. If one of the two is a flag
// and the other stands in a file, the flag counts, as for any key.
func (c *Config) settleObjective() []error {
	if !slices.Contains(lossTypes(), c.LossType) { // not given, or refused by validate
		return nil
	}
	objective := c.LossType
	switch c.LossType {
	case "sigmoid":
		objective = "dpo"
	case "nll":
		objective = "sft"
	}
	asFlag := func(key string) bool { return strings.HasPrefix(c.Origin(key), "-") }
	switch {
	case c.Origin("objective") == "" || asFlag("loss_type") && !asFlag("objective"):
		c.Objective = objective
	case asFlag("objective") && !asFlag("loss_type"):
		c.LossType = ""
	case c.Objective != objective:
		return []error{fmt.Errorf("%s: loss_type: %s contradicts objective: %s (%s)",
			c.Origin("loss_type"), c.LossType, c.Objective, c.Origin("objective"))}
	}
	return nil
}

// lossTypes returns the values of loss_type: the names of the objectives, but TRL's for two of them.
func lossTypes() []string {
	names := bfpo.Objectives()
	for i, name := range names {
		switch name {
		case "dpo":
			names[i] = "sigmoid"
		case "sft":
			names[i] = "nll"
		}
	}
	return names
}
