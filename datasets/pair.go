package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// TokenizePreferences tokenises preferences; the pairs keep the order of the rows.
//
// The clean format leaves a pair as it is when its longer row fits MaxLength. Otherwise its prompt is cut to
// MaxPromptLength on TruncationSide, but keeps BOS. If a response still does not fit, the pair is dropped, since an
// answer without its end teaches the model not to end. Pairs with an empty prompt, an empty response or two
// identical responses are dropped too, and so are rows that the chat template refuses. Too many refusals are an error.
//
// The original format (Original) drops only rows with tokens that the model does not have, and a refusal is an error: a
// prompt that is too long loses BOS with its left side, and then the response loses its end.
func (f TextFormat) TokenizePreferences(ctx context.Context, rows []Preference) ([]batch.Pair, Drops, error) {
	var drops Drops
	if err := f.check(); err != nil {
		return nil, drops, err
	}
	if f.Original && (f.MaxLength == 0 || f.MaxPromptLength == 0) {
		return nil, drops, fmt.Errorf("text_format seed: max_length and max_prompt_length must be set")
	}
	outcomes, err := mapRows(ctx, rows, func(ctx context.Context, p Preference) (pairOutcome, error) {
		out, err := f.pair(ctx, p)
		if out.refused, err = f.asRefusal(err); err != nil {
			return out, fmt.Errorf("row %s: %w", p.ID, err)
		}
		out.pair.ID, out.pair.ChosenSafe, out.pair.RejectedSafe = p.ID, p.ChosenSafe, p.RejectedSafe
		return out, nil
	})
	if err != nil {
		return nil, drops, err
	}
	pairs := make([]batch.Pair, 0, len(outcomes))
	var refused refusals
	for _, o := range outcomes {
		switch {
		case o.refused != nil:
			refused.add(o.pair.ID, o.refused)
			continue
		case o.dropped != "":
			drops.drop(o.dropped, o.pair.ID)
			continue
		case o.cut:
			drops.Cut = append(drops.Cut, o.pair.ID)
		}
		pairs = append(pairs, o.pair)
	}
	err = refused.drop(&drops, len(rows))
	return pairs, drops, err
}

// DropRows returns the preferences that stay, and drops those for which drop gives a reason.
func DropRows(rows []Preference, drop func(p Preference) (reason string)) (kept []Preference, drops Drops) {
	for _, p := range rows {
		if reason := drop(p); reason != "" {
			drops.drop(reason, p.ID)
		} else {
			kept = append(kept, p)
		}
	}
	return kept, drops
}

// pairOutcome is what becomes of a preference.
type pairOutcome struct {
	pair    batch.Pair
	refused *refusal // by the chat template; nil for a pair that it renders
	dropped string   // the reason; "" for a pair that is used
	cut     bool     // the prompt or a response lost tokens
}

// pair tokenises one preference in the format's way.
func (f TextFormat) pair(ctx context.Context, p Preference) (pairOutcome, error) {
	out, err := pairOutcome{}, error(nil)
	if f.Original {
		out.pair, out.cut, err = f.originalPair(ctx, p)
	} else {
		out, err = f.cleanPair(ctx, p)
	}
	beyond := f.Tokenizer.Beyond(slices.Concat(out.pair.Chosen.IDs, out.pair.Rejected.IDs))
	if err == nil && beyond != nil && out.dropped == "" {
		out.dropped = beyond.Error()
	}
	return out, err
}

// cleanPair tokenises one preference in the clean format.
func (f TextFormat) cleanPair(ctx context.Context, p Preference) (pairOutcome, error) {
	var out pairOutcome
	prompt, chosen, rejected, err := f.RenderPreference(ctx, p)
	if err != nil {
		return out, err
	}
	if out.dropped = blank(p); out.dropped != "" {
		return out, nil
	}
	encoded := f.Tokenizer.Encode(prompt, false)
	eos, _ := f.Tokenizer.EOS()
	chosenIDs := append(f.encodeAfter(prompt, encoded, f.trimEOS(chosen)), eos)
	rejectedIDs := append(f.encodeAfter(prompt, encoded, f.trimEOS(rejected)), eos)
	promptIDs := f.prependBOS(encoded)
	longer := max(len(chosenIDs), len(rejectedIDs))
	tooLong := func() bool { return f.MaxLength > 0 && len(promptIDs)+longer > f.MaxLength }
	if tooLong() && f.MaxPromptLength > 0 && len(promptIDs) > f.MaxPromptLength {
		promptIDs = f.cutPrompt(promptIDs)
		out.cut = true
	}
	switch {
	case len(promptIDs) == 0:
		out.dropped = DropNoPrompt
	case len(chosenIDs) == 1 || len(rejectedIDs) == 1:
		out.dropped = DropEmpty
	case slices.Equal(chosenIDs, rejectedIDs):
		out.dropped = DropIdentical
	case tooLong():
		out.dropped = DropTooLong
	}
	out.pair.Chosen = batch.Sequence{IDs: slices.Concat(promptIDs, chosenIDs), PromptLength: len(promptIDs)}
	out.pair.Rejected = batch.Sequence{IDs: slices.Concat(promptIDs, rejectedIDs), PromptLength: len(promptIDs)}
	return out, nil
}

// cutPrompt shortens a prompt to MaxPromptLength. What the tokenizer puts before a text (BOS) stays.
func (f TextFormat) cutPrompt(ids []int32) []int32 {
	before := len(f.Tokenizer.Prefix())
	if f.TruncationSide == "right" || before >= f.MaxPromptLength {
		return ids[:f.MaxPromptLength]
	}
	return slices.Concat(ids[:before], ids[len(ids)-f.MaxPromptLength+before:])
}

// blank returns the reason for which a preference with a text of white space is dropped, or "".
func blank(p Preference) string {
	switch {
	case isBlank(p.Chosen) || isBlank(p.Rejected):
		return DropEmpty
	case p.Prompt == nil && (strings.TrimSpace(p.ChosenText) == "" || strings.TrimSpace(p.RejectedText) == ""):
		return DropEmpty
	case isBlank(p.Prompt) || p.Prompt == nil && strings.TrimSpace(p.PromptText) == "":
		return DropNoPrompt
	}
	return ""
}

// isBlank reports whether a prompt or an answer is given as messages and has no text.
func isBlank(answer []chat.Message) bool {
	return answer != nil && !slices.ContainsFunc(answer, func(m chat.Message) bool { return !m.IsBlank() })
}
