package datasets

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// originalPair tokenises as tokenize_row of TRL 0.7.7, which the original code uses: BOS comes before the prompt, and
// one more EOS after answers that end with one already. It also returns whether the prompt or an answer was cut.
func (f TextFormat) originalPair(
	ctx context.Context, p Preference,
) (pair batch.Pair, cut bool, err error) {
	prompt, chosen, rejected, err := f.RenderPreference(ctx, p)
	if err != nil {
		return pair, false, err
	}
	bos, ok := f.Tokenizer.BOS()
	if !ok {
		return pair, false, errors.New("text_format seed needs a tokenizer with a BOS token")
	}
	eos, _ := f.Tokenizer.EOS()

	promptIDs := f.Tokenizer.Encode(prompt, false)
	var prompts, answers [2][]int32
	for i, text := range []string{chosen, rejected} {
		all := f.Tokenizer.Encode(prompt+text, false)
		boundary := len(promptIDs)
		if boundary > len(all) {
			return pair, false, fmt.Errorf(
				"the prompt alone has %d tokens, with its answer %d: the original code fails here too",
				boundary, len(all))
		}
		if !startsWith(all, promptIDs) {
			boundary-- // the last token of the prompt has merged with the answer
		}
		prompts[i] = append([]int32{bos}, all[:boundary]...)
		answers[i] = append(slices.Clone(all[boundary:]), eos)
	}

	longer := max(len(answers[0]), len(answers[1]))
	var rows [2]batch.Sequence
	for i := range rows {
		if len(prompts[i])+longer > f.MaxLength {
			cut = true
			if keep := min(f.MaxPromptLength, len(prompts[i])); f.TruncationSide == "right" {
				prompts[i] = prompts[i][:keep]
			} else {
				prompts[i] = prompts[i][len(prompts[i])-keep:]
			}
		}
		if len(prompts[i])+longer > f.MaxLength {
			answers[i] = answers[i][:min(f.MaxLength-f.MaxPromptLength, len(answers[i]))]
		}
		rows[i] = batch.Sequence{IDs: slices.Concat(prompts[i], answers[i]), PromptLength: len(prompts[i])}
	}
	return batch.Pair{Chosen: rows[0], Rejected: rows[1]}, cut, nil
}

// originalDocument returns the ids of one text with BOS and, for packing, the EOS that separates it from the next text.
func (f TextFormat) originalDocument(ctx context.Context, d Dialogue) (tokenized, error) {
	text := d.Text
	if d.Messages != nil {
		var err error
		if text, err = f.render(ctx, withSystem(d.Messages), d.Variables, false); err != nil {
			return tokenized{}, err
		}
	}
	ids := f.Tokenizer.Encode(text, true)
	if f.Packing {
		eos, _ := f.Tokenizer.EOS()
		ids = append(ids, eos)
	} else if f.MaxLength > 0 {
		ids = ids[:min(len(ids), f.MaxLength)]
	}
	return tokenized{id: d.ID, ids: ids, characters: utf8.RuneCountInString(text)}, nil
}

// originalRows packs as ConstantLengthDataset of TRL 0.7.7. Texts are collected until they have 3.6*1024*maxLength
// characters; their ids (each text with BOS, and EOS between texts) are concatenated and cut every maxLength ids, and
// the ids that are left over are lost. Attention crosses the documents of a row.
func originalRows(docs []tokenized, maxLength int) []batch.Document {
	var out []batch.Document
	var ids []int32
	var owners []string // of each id
	characters := 0
	limit := float64(maxLength) * 3.6 * 1024
	for n, d := range docs {
		ids = append(ids, d.ids...)
		for range d.ids {
			owners = append(owners, d.id)
		}
		if characters += d.characters; float64(characters) < limit && n+1 < len(docs) {
			continue
		}
		for ; len(ids) >= maxLength; ids, owners = ids[maxLength:], owners[maxLength:] {
			names := slices.Compact(slices.Clone(owners[:maxLength]))
			out = append(out, batch.Document{ID: joinIDs(names), IDs: slices.Clone(ids[:maxLength]), Starts: []int{0}})
		}
		ids, owners, characters = nil, nil, 0
	}
	return out
}
