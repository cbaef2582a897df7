package datasets

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// seedPair tokenises as TRL 0.7.7's tokenize_row: BOS before the prompt, one more EOS after answers that end with one already.
func (f TextFormat) seedPair(p Preference) (pairOutcome, error) {
	var out pairOutcome
	prompt, chosen, rejected, err := f.Texts(p)
	if err != nil {
		return out, err
	}
	bos, ok := f.Tokenizer.BOS()
	if !ok {
		return out, errors.New("text format seed needs a tokenizer with a BOS token")
	}
	eos, _ := f.Tokenizer.EOS()

	promptIDs := f.Tokenizer.Encode(prompt, false)
	var prompts, answers [2][]int32
	for i, text := range []string{chosen, rejected} {
		all := f.Tokenizer.Encode(prompt+text, false)
		cut := len(promptIDs)
		if cut > len(all) {
			return out, fmt.Errorf("the prompt alone has %d tokens, with its answer %d: the reference stops here too", cut, len(all))
		}
		if !startsWith(all, promptIDs) {
			cut-- // the prompt's last token has merged with the answer
		}
		prompts[i] = append([]int32{bos}, all[:cut]...)
		answers[i] = append(slices.Clone(all[cut:]), eos)
	}

	longer := max(len(answers[0]), len(answers[1]))
	var rows [2]batch.Sequence
	for i := range rows {
		if len(prompts[i])+longer > f.MaxLength {
			out.cut = true
			if keep := min(f.MaxPromptLength, len(prompts[i])); f.TruncationSide == "right" {
				prompts[i] = prompts[i][:keep]
			} else {
				prompts[i] = prompts[i][len(prompts[i])-keep:]
			}
		}
		if len(prompts[i])+longer > f.MaxLength {
			answers[i] = answers[i][:min(f.MaxLength-f.MaxPromptLength, len(answers[i]))]
		}
		rows[i] = batch.Sequence{IDs: slices.Concat(prompts[i], answers[i]), Prompt: len(prompts[i])}
	}
	out.pair.Chosen, out.pair.Rejected = rows[0], rows[1]
	return out, nil
}

// seedDocuments packs as TRL 0.7.7's ConstantLengthDataset: texts are gathered until they hold 3.6*1024*MaxLength characters, their ids
// (each text with BOS, and EOS between texts) are put one after the other and cut every MaxLength; the rest of a gathering is lost.
// Attention crosses the documents of a row.
func (f TextFormat) seedDocuments(docs []tokenized) []batch.Document {
	var out []batch.Document
	var ids []int32
	var owners []string // of each id
	characters := 0
	limit := float64(f.MaxLength) * 3.6 * 1024
	for n, d := range docs {
		ids = append(ids, d.ids...)
		for range d.ids {
			owners = append(owners, d.id)
		}
		if characters += d.characters; float64(characters) < limit && n+1 < len(docs) {
			continue
		}
		for ; len(ids) >= f.MaxLength; ids, owners = ids[f.MaxLength:], owners[f.MaxLength:] {
			names := slices.Compact(slices.Clone(owners[:f.MaxLength]))
			out = append(out, batch.Document{ID: joinIDs(names), IDs: slices.Clone(ids[:f.MaxLength]), Starts: []int{0}})
		}
		ids, owners, characters = nil, nil, 0
	}
	return out
}

// seedDocument is a text's ids with BOS and the EOS that separates it from the next when packed.
func (f TextFormat) seedDocument(d Dialogue) (tokenized, error) {
	text := d.Text
	if d.Messages != nil {
		var err error
		if text, err = f.render(withSystem(d.Messages), false); err != nil {
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
