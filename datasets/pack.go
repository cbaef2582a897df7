package datasets

import (
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// maxOpenRows is the number of unfinished rows that packing tries for a document.
const maxOpenRows = 64

// tokenized is one document before packing.
type tokenized struct {
	id         string
	ids        []int32
	characters int      // of its text; only the original format sets it
	refused    *refusal // by the chat template; nil for a document that it renders
}

// packDocuments packs documents, in their order, into rows of at most maxLength tokens (0: no limit). Each goes into
// the oldest of the last maxOpen rows that has room for it, or else into a new row; with maxOpen 0 it always gets a new
// row. A document longer than a row is split; the IDs of the documents that were split are returned too.
func packDocuments(docs []tokenized, maxLength, maxOpen int) (rows []batch.Document, splitIDs []string) {
	var names [][]string // of the documents of each row
	open := 0            // the first row that is tried
	for _, d := range docs {
		runs := splitEvenly(d.ids, maxLength)
		if len(runs) > 1 {
			splitIDs = append(splitIDs, d.id)
		}
		for _, ids := range runs {
			r := open
			for r < len(rows) && len(rows[r].IDs)+len(ids) > maxLength {
				r++
			}
			if r == len(rows) {
				rows, names = append(rows, batch.Document{}), append(names, nil)
			}
			rows[r].Starts = append(rows[r].Starts, len(rows[r].IDs))
			rows[r].IDs = append(rows[r].IDs, ids...)
			names[r] = append(names[r], d.id)
			open = max(open, len(rows)-maxOpen)
		}
	}
	for r := range rows {
		rows[r].ID = joinIDs(slices.Compact(names[r]))
	}
	return rows, splitIDs
}

// splitEvenly splits ids into as few runs of at most limit tokens as possible (0: no limit). Their lengths differ by
// one at most, so that no run is a single token, which nothing would predict.
func splitEvenly(ids []int32, limit int) [][]int32 {
	if limit == 0 || len(ids) <= limit {
		return [][]int32{ids}
	}
	n := (len(ids) + limit - 1) / limit
	runs := make([][]int32, n)
	for i := range runs {
		runs[i] = ids[i*len(ids)/n : (i+1)*len(ids)/n]
	}
	return runs
}

// joinIDs makes the ID of a row that holds several documents.
func joinIDs(ids []string) string { return strings.Join(ids, ",") }
