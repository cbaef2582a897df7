package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// openRows is how many unfinished rows packing looks back over.
const openRows = 64

// Documents tokenises dialogues and, with Packing, packs them into rows of MaxLength tokens.
//
// Clean: a document goes into the oldest of the last 64 unfinished rows that has room for it, else into a new row; rows come out in the
// order they were begun. A document longer than a row is split into equal parts, each a document of its own. Documents of a row do not
// see each other. Without Packing every document is a row.
//
// Seed: see seedDocuments; without Packing a row is one text, cut at MaxLength.
//
// Rows of input_ids are packed already: each is one row as it stands, after the others.
func (f TextFormat) Documents(ctx context.Context, rows []Dialogue) ([]batch.Document, Drops, error) {
	var drops Drops
	if err := f.check(); err != nil {
		return nil, drops, err
	}
	if f.Packing && f.MaxLength < 2 {
		return nil, drops, fmt.Errorf("packing: max_seq_length must be set")
	}
	docs, err := eachRow(ctx, rows, func(d Dialogue) (tokenized, error) {
		t, err := f.document(d)
		if err != nil {
			return t, fmt.Errorf("row %s: %w", d.ID, err)
		}
		return t, nil
	})
	if err != nil {
		return nil, drops, err
	}
	var loose []tokenized
	var packed []batch.Document
	for i, d := range docs {
		switch {
		case len(d.ids) < 2:
			drops.drop(DropNoText, d.id)
		case rows[i].InputIDs != nil:
			packed = append(packed, batch.Document{ID: d.id, IDs: d.ids, Starts: []int{0}})
		default:
			loose = append(loose, d)
		}
	}
	var out []batch.Document
	switch {
	case !f.Seed:
		out = f.pack(loose, &drops)
	case f.Packing:
		out = f.seedDocuments(loose)
	default:
		for _, d := range loose {
			out = append(out, batch.Document{ID: d.id, IDs: d.ids, Starts: []int{0}})
		}
	}
	return append(out, packed...), drops, nil
}

// tokenized is one document before packing.
type tokenized struct {
	id         string
	ids        []int32
	characters int
}

func (f TextFormat) document(d Dialogue) (tokenized, error) {
	switch {
	case d.InputIDs != nil:
		if f.MaxLength > 0 && len(d.InputIDs) > f.MaxLength {
			return tokenized{}, fmt.Errorf("input_ids has %d ids, max_seq_length is %d", len(d.InputIDs), f.MaxLength)
		}
		for _, id := range d.InputIDs {
			if int(id) >= f.Tokenizer.VocabSize() {
				return tokenized{}, fmt.Errorf("input_ids has id %d, the vocabulary ends at %d: packed for another tokenizer?", id, f.Tokenizer.VocabSize()-1)
			}
		}
		return tokenized{id: d.ID, ids: d.InputIDs}, nil
	case f.Seed:
		return f.seedDocument(d)
	}
	text := d.Text
	if d.Messages != nil {
		var err error
		if text, err = f.render(d.Messages, false); err != nil {
			return tokenized{}, err
		}
	}
	text = f.body(text)
	if strings.TrimSpace(text) == "" {
		return tokenized{id: d.ID}, nil
	}
	eos, _ := f.Tokenizer.EOS()
	return tokenized{id: d.ID, ids: append(f.begin(f.Tokenizer.Encode(text, false)), eos)}, nil
}

// pack fills rows of MaxLength in the order of the documents.
func (f TextFormat) pack(docs []tokenized, drops *Drops) []batch.Document {
	var rows []batch.Document
	var names [][]string // of the documents of each row
	open := 0            // rows before it are finished
	for _, d := range docs {
		parts := split(d.ids, f.MaxLength)
		if len(parts) > 1 {
			drops.Cut = append(drops.Cut, d.id)
		}
		for _, part := range parts {
			r := open
			for r < len(rows) && (!f.Packing || len(rows[r].IDs)+len(part) > f.MaxLength) {
				r++
			}
			if r == len(rows) {
				rows, names = append(rows, batch.Document{}), append(names, nil)
				open = max(open, len(rows)-openRows)
			}
			rows[r].Starts = append(rows[r].Starts, len(rows[r].IDs))
			rows[r].IDs = append(rows[r].IDs, part...)
			names[r] = append(names[r], d.id)
		}
	}
	for r := range rows {
		rows[r].ID = joinIDs(slices.Compact(names[r]))
	}
	return rows
}

// split cuts ids into as few parts of at most max tokens as possible, of equal length give or take one, so that no part is a lone
// token without a predictor. max 0 is no limit.
func split(ids []int32, max int) [][]int32 {
	if max == 0 || len(ids) <= max {
		return [][]int32{ids}
	}
	n := (len(ids) + max - 1) / max
	parts := make([][]int32, n)
	for i := range parts {
		parts[i] = ids[i*len(ids)/n : (i+1)*len(ids)/n]
	}
	return parts
}

func joinIDs(ids []string) string { return strings.Join(ids, ",") }
