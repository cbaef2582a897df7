package datasets

import (
	"context"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// TokenizeDialogues tokenises dialogues and, with Packing, packs them into rows of MaxLength tokens.
//
// In the clean format a document goes into the oldest of the last 64 unfinished rows that has room for it, or else into
// a new row; rows keep the order in which they were begun. A document longer than a row is split into documents of
// about equal length. The documents of a row do not see each other. Without Packing every document is a row.
//
// For the original format (Original) see originalRows; without Packing a row is one text, cut at MaxLength.
//
// Rows of input_ids are packed already: each is used as it is, after the others.
func (f TextFormat) TokenizeDialogues(ctx context.Context, rows []Dialogue) ([]batch.Document, Drops, error) {
	var drops Drops
	if err := f.check(); err != nil {
		return nil, drops, err
	}
	if f.Packing && f.MaxLength < 2 {
		return nil, drops, fmt.Errorf("packing: max_seq_length must be set")
	}
	docs, err := mapRows(ctx, rows, func(ctx context.Context, d Dialogue) (tokenized, error) {
		t, err := f.tokenize(ctx, d)
		if t.refused, err = f.asRefusal(err); err != nil {
			return t, fmt.Errorf("row %s: %w", d.ID, err)
		}
		return t, nil
	})
	if err != nil {
		return nil, drops, err
	}
	var loose []tokenized
	var packed []batch.Document
	var refused refusals
	for i, d := range docs {
		beyond := f.Tokenizer.Beyond(d.ids)
		switch {
		case d.refused != nil:
			refused.add(rows[i].ID, d.refused)
		case beyond != nil:
			drops.drop(beyond.Error(), d.id)
		case len(d.ids) < 2:
			drops.drop(DropNoText, d.id)
		case rows[i].InputIDs != nil:
			packed = append(packed, batch.Document{ID: d.id, IDs: d.ids, Starts: []int{0}})
		default:
			loose = append(loose, d)
		}
	}
	if err := refused.drop(&drops, len(rows)); err != nil {
		return nil, drops, err
	}
	var out []batch.Document
	out, drops.Cut = f.layOut(loose)
	return append(out, packed...), drops, nil
}

// layOut puts documents into rows, and lists those that were split.
func (f TextFormat) layOut(loose []tokenized) (out []batch.Document, cut []string) {
	switch {
	case !f.Original:
		maxOpen := 0
		if f.Packing {
			maxOpen = maxOpenRows
		}
		return packDocuments(loose, f.MaxLength, maxOpen)
	case f.Packing:
		return originalRows(loose, f.MaxLength), nil
	}
	for _, d := range loose {
		out = append(out, batch.Document{ID: d.id, IDs: d.ids, Starts: []int{0}})
	}
	return out, nil
}

// tokenize returns the token ids of one dialogue.
func (f TextFormat) tokenize(ctx context.Context, d Dialogue) (tokenized, error) {
	switch {
	case d.InputIDs != nil:
		return tokenized{id: d.ID, ids: d.InputIDs}, f.checkIDs(d.InputIDs)
	case f.Original:
		return f.originalDocument(ctx, d)
	}
	text := d.Text
	if isBlank(d.Messages) {
		return tokenized{id: d.ID}, nil
	}
	if d.Messages != nil {
		var err error
		if text, err = f.render(ctx, d.Messages, d.Variables, false); err != nil {
			return tokenized{}, err
		}
	}
	text = f.trimEOS(text)
	if strings.TrimSpace(text) == "" {
		return tokenized{id: d.ID}, nil
	}
	eos, _ := f.Tokenizer.EOS()
	return tokenized{id: d.ID, ids: append(f.prependBOS(f.Tokenizer.Encode(text, false)), eos)}, nil
}

// checkIDs refuses input_ids that do not fit in a row or were made with another tokenizer.
func (f TextFormat) checkIDs(ids []int32) error {
	if f.MaxLength > 0 && len(ids) > f.MaxLength {
		return fmt.Errorf("input_ids has %d ids, max_seq_length is %d", len(ids), f.MaxLength)
	}
	for _, id := range ids {
		if last := f.Tokenizer.VocabSize() - 1; int(id) > last {
			return fmt.Errorf("input_ids has id %d, the vocabulary ends at %d: packed for another tokenizer?", id, last)
		}
	}
	return nil
}
