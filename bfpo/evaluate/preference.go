package evaluate

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral"
)

// Preference is a model's preference on one held-out pair.
type Preference struct {
	ID                       string
	ChosenSafe, RejectedSafe bool
	Chosen, Rejected         float64 // log pi(y|x), summed over the response's tokens, in nats
	ChosenTokens             int     // of the chosen response
}

// Margin is log pi(chosen|x) - log pi(rejected|x), in nats.
func (p Preference) Margin() float64 { return p.Chosen - p.Rejected }

// Prefers reports whether the chosen response is likelier than the rejected one. A tie is no preference.
func (p Preference) Prefers() bool { return p.Margin() > 0 }

// ScorePreferences scores both responses of every pair. The result has the order of the pairs.
func ScorePreferences(ctx context.Context, scorer *mistral.Scorer, pairs []batch.Pair) ([]Preference, error) {
	sequences := make([]mistral.Sequence, 0, 2*len(pairs))
	for _, p := range pairs {
		for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
			sequences = append(sequences,
				mistral.Sequence{PromptIDs: s.IDs[:s.PromptLength], ResponseIDs: s.IDs[s.PromptLength:]})
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
			ChosenTokens: len(p.Chosen.IDs) - p.Chosen.PromptLength,
		}
	}
	return out, nil
}

// LabelCase is one combination of the safety labels of a pair.
type LabelCase struct {
	Task                     string // name in results.json
	Title                    string // heading in tables
	ChosenSafe, RejectedSafe bool
}

// LabelCases returns the four combinations, the two most informative ones first.
func LabelCases() []LabelCase {
	return []LabelCase{
		{"preference_safe_over_unsafe", "safe over unsafe", true, false},
		{"preference_helpful", "helpful, both safe", true, true},
		{"preference_unsafe_over_safe", "unsafe labelled better than safe", false, true},
		{"preference_both_unsafe", "both unsafe", false, false},
	}
}

// Filter returns the preferences whose pairs have the case's labels, in their order.
func (c LabelCase) Filter(all []Preference) []Preference {
	var out []Preference
	for _, p := range all {
		if p.ChosenSafe == c.ChosenSafe && p.RejectedSafe == c.RejectedSafe {
			out = append(out, p)
		}
	}
	return out
}
