package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// Reasons of Drops.
const (
	DropIdentical = "chosen and rejected are identical"
	DropEmpty     = "empty response"
	DropNoPrompt  = "empty prompt"
	DropTooLong   = "response longer than max_length minus prompt"
	DropNoText    = "empty document"
)

// Pairs tokenises preferences; the pairs keep the rows' order.
//
// Clean: a pair whose longer row fits MaxLength stays whole. Otherwise its prompt is cut to MaxPromptLength on TruncationSide, BOS
// kept; if a response still does not fit, the pair is dropped, since an answer without its end teaches not to end. Identical or empty
// responses are dropped too.
//
// Seed: nothing is dropped; the over-long prompt loses BOS with its left side, then the response loses its end.
func (f TextFormat) Pairs(ctx context.Context, rows []Preference) ([]batch.Pair, Drops, error) {
	var drops Drops
	if err := f.check(); err != nil {
		return nil, drops, err
	}
	if f.Seed && (f.MaxLength == 0 || f.MaxPromptLength == 0) {
		return nil, drops, fmt.Errorf("text format seed: max_length and max_prompt_length must be set")
	}
	outcomes, err := eachRow(ctx, rows, func(p Preference) (pairOutcome, error) {
		tokenize := f.cleanPair
		if f.Seed {
			tokenize = f.seedPair
		}
		out, err := tokenize(p)
		if err != nil {
			return out, fmt.Errorf("row %s: %w", p.ID, err)
		}
		out.pair.ID, out.pair.ChosenSafe, out.pair.RejectedSafe = p.ID, p.ChosenSafe, p.RejectedSafe
		return out, nil
	})
	if err != nil {
		return nil, drops, err
	}
	pairs := make([]batch.Pair, 0, len(outcomes))
	for _, o := range outcomes {
		if o.dropped != "" {
			drops.drop(o.dropped, o.pair.ID)
			continue
		}
		if o.cut {
			drops.Cut = append(drops.Cut, o.pair.ID)
		}
		pairs = append(pairs, o.pair)
	}
	return pairs, drops, nil
}

type pairOutcome struct {
	pair    batch.Pair
	dropped string
	cut     bool
}

// Texts are the three texts of a preference as Pairs tokenises them: a row is prompt+chosen and prompt+rejected.
func (f TextFormat) Texts(p Preference) (prompt, chosen, rejected string, err error) {
	switch {
	case p.Prompt == nil:
		return p.PromptText, p.ChosenText, p.RejectedText, nil
	case f.Seed:
		// Each part by itself, so that the answers begin with the assistant's header.
		if prompt, err = f.render(withSystem(p.Prompt), false); err != nil {
			return
		}
		if chosen, err = f.render(p.Chosen, false); err != nil {
			return
		}
		rejected, err = f.render(p.Rejected, false)
		return
	}
	if prompt, err = f.render(p.Prompt, true); err != nil {
		return
	}
	if chosen, err = f.answer(prompt, p.Prompt, p.Chosen); err != nil {
		return
	}
	rejected, err = f.answer(prompt, p.Prompt, p.Rejected)
	return
}

// answer is what the template writes after the generation prompt when the answer is there.
func (f TextFormat) answer(prompt string, question, answer []chat.Message) (string, error) {
	whole, err := f.render(slices.Concat(question, answer), false)
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(whole, prompt)
	if !ok {
		return "", fmt.Errorf("the chat template writes another text before an answer than it asks for one with (add_generation_prompt): " +
			"answers cannot be told from prompts; set chat_template to one where the second continues the first")
	}
	return text, nil
}

func (f TextFormat) cleanPair(p Preference) (pairOutcome, error) {
	out := pairOutcome{pair: batch.Pair{ID: p.ID}}
	prompt, chosen, rejected, err := f.Texts(p)
	if err != nil {
		return out, err
	}
	if blank(p.Chosen) || blank(p.Rejected) {
		out.dropped = DropEmpty
		return out, nil
	}
	head := f.Tokenizer.Encode(prompt, false)
	eos, _ := f.Tokenizer.EOS()
	chosenIDs := append(f.follow(prompt, head, f.body(chosen)), eos)
	rejectedIDs := append(f.follow(prompt, head, f.body(rejected)), eos)
	promptIDs := f.begin(head)
	longer := max(len(chosenIDs), len(rejectedIDs))
	if f.MaxLength > 0 && len(promptIDs)+longer > f.MaxLength && f.MaxPromptLength > 0 && len(promptIDs) > f.MaxPromptLength {
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
	case f.MaxLength > 0 && len(promptIDs)+longer > f.MaxLength:
		out.dropped = DropTooLong
	}
	out.pair.Chosen = batch.Sequence{IDs: slices.Concat(promptIDs, chosenIDs), Prompt: len(promptIDs)}
	out.pair.Rejected = batch.Sequence{IDs: slices.Concat(promptIDs, rejectedIDs), Prompt: len(promptIDs)}
	return out, nil
}

// cutPrompt shortens a prompt to MaxPromptLength; what the tokenizer puts before a text (BOS) stays.
func (f TextFormat) cutPrompt(ids []int32) []int32 {
	before := len(f.Tokenizer.Prefix())
	if f.TruncationSide == "right" || before >= f.MaxPromptLength {
		return ids[:f.MaxPromptLength]
	}
	return slices.Concat(ids[:before], ids[len(ids)-f.MaxPromptLength+before:])
}

// blank tells whether an answer given as messages says nothing.
func blank(answer []chat.Message) bool {
	for _, m := range answer {
		if strings.TrimSpace(m.Content) != "" {
			return false
		}
	}
	return answer != nil
}
