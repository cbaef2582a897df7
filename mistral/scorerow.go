package mistral

// scoreRow is documents that lie in one row, one behind the other.
type scoreRow struct {
	length, used int
	documents    []*scoredDocument
}

const (
	// programCost is how many tokens take as long as getting one more program ready.
	programCost = 1000
	// attentionCost is the length of rows at which attention takes as long as all else.
	attentionCost = 800
)

// packDocuments packs documents into rows, and returns the rows of each length, long ones first. Longer rows have less left over, shorter
// ones less to attend to, and each length needs a program of its own: the length of the rows for short documents is the cheapest.
func packDocuments(documents []*scoredDocument) [][]scoreRow {
	var best [][]scoreRow
	least := 0
	for _, short := range []int{48, 64, 80, 96, 112, 128, 160, 192, 224, 256} {
		rows := packRows(documents, short)
		cost := 0
		for _, same := range rows {
			n, length := rowsOfBatch(len(same), same[0].length), same[0].length
			places := (len(same) + n - 1) / n * n * length
			cost += programCost + places + places*length/attentionCost
		}
		if best == nil || cost < least {
			best, least = rows, cost
		}
	}
	return best
}

// packRows packs documents into rows of the given length, and longer ones into rows of paddedLength. A row takes the longest document that is
// left and then, as long as there is one, the longest that fits behind it.
func packRows(documents []*scoredDocument, short int) (rows [][]scoreRow) {
	left := newRemaining(documents)
	length := 0
	for longest := left.longest(); longest > 0; longest = left.longest() {
		if own := max(short, paddedLength(longest)); length == 0 || own < length && left.tokens(short, own) >= programCost {
			length = own
			rows = append(rows, nil)
		}
		row := scoreRow{length: length}
		for d := left.take(length); d != nil; d = left.take(length - row.used) {
			row.documents = append(row.documents, d)
			row.used += d.length
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], row)
	}
	return rows
}

// remaining is the documents that are in no row yet, by their length; none is longer than the last.
type remaining [][]*scoredDocument

func newRemaining(documents []*scoredDocument) remaining {
	longest := 0
	for _, d := range documents {
		longest = max(longest, d.length)
	}
	r := make(remaining, longest+1)
	for _, d := range documents {
		r[d.length] = append(r[d.length], d)
	}
	return r
}

// longest returns the length of the longest document, or 0.
func (r *remaining) longest() int {
	for len(*r) > 1 && len((*r)[len(*r)-1]) == 0 {
		*r = (*r)[:len(*r)-1]
	}
	return len(*r) - 1
}

// tokens counts the tokens of documents that are packed into rows of a length.
func (r *remaining) tokens(short, length int) (n int) {
	for l := min(length, len(*r)-1); l > 0 && max(short, paddedLength(l)) == length; l-- {
		n += l * len((*r)[l])
	}
	return n
}

// take removes the longest document of at most n tokens.
func (r *remaining) take(n int) *scoredDocument {
	for n = min(n, len(*r)-1); n > 0; n-- {
		if same := (*r)[n]; len(same) > 0 {
			(*r)[n] = same[1:]
			return same[0]
		}
	}
	return nil
}
