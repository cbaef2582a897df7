package evaluate

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral"
)

// Preference is what a model says of one held-out pair.
type Preference struct {
	ID                       string
	ChosenSafe, RejectedSafe bool
	Chosen, Rejected         float64 // log pi(y|x) summed over the response, in nats
}

// Margin is log pi(chosen|x) - log pi(rejected|x), in nats.
func (p Preference) Margin() float64 { return p.Chosen - p.Rejected }

// Prefers tells whether the model finds the chosen response likelier; a tie is not a preference.
func (p Preference) Prefers() bool { return p.Margin() > 0 }

// Preferences scores pairs with a model. The result has the order of the pairs.
func ScorePreferences(ctx context.Context, scorer *mistral.Scorer, pairs []batch.Pair) ([]Preference, error) {
	sequences := make([]mistral.Sequence, 0, 2*len(pairs))
	for _, p := range pairs {
		for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
			sequences = append(sequences, mistral.Sequence{PromptIDs: s.IDs[:s.Prompt], ResponseIDs: s.IDs[s.Prompt:]})
		}
	}
	scores, err := scorer.Score(ctx, sequences)
	if err != nil {
		return nil, fmt.Errorf("score held-out pairs: %w", err)
	}
	out := make([]Preference, len(pairs))
	for i, p := range pairs {
		out[i] = Preference{
			ID: p.ID, ChosenSafe: p.ChosenSafe, RejectedSafe: p.RejectedSafe,
			Chosen: scores[2*i].LogProb, Rejected: scores[2*i+1].LogProb,
		}
	}
	return out, nil
}

// Case is one combination of safety labels.
type LabelCase struct {
	Task                     string // name in results.json
	Title                    string // heading in tables
	ChosenSafe, RejectedSafe bool
}

// Cases are the four combinations, the two that say most first.
func LabelCases() []LabelCase {
	return []LabelCase{
		{"preference_safe_over_unsafe", "safe over unsafe", true, false},
		{"preference_helpful", "helpful, both safe", true, true},
		{"preference_unsafe_over_safe", "unsafe labelled better than safe", false, true},
		{"preference_both_unsafe", "both unsafe", false, false},
	}
}

// Of are the preferences of one case, in their order.
func (c LabelCase) Filter(all []Preference) []Preference {
	var out []Preference
	for _, p := range all {
		if p.ChosenSafe == c.ChosenSafe && p.RejectedSafe == c.RejectedSafe {
			out = append(out, p)
		}
	}
	return out
}
