package mistral

// scoreRows is rows of one length; a row is documents that lie one behind the other.
type scoreRows struct {
	length int
	rows   [][]*scoredDocument
}

// What rows cost, in tokens. Only the choice of lengths depends on these, so they need not be exact: they were set for SmolLM2 on two cores.
const (
	// programCost is how many tokens take as long as getting one more program ready, about 2 s there.
	programCost = 1600
	// attentionCost is the length of rows at which attention would take as long as all else, a rough guess.
	attentionCost = 800
)

// packDocuments packs documents into rows, long ones first. Longer rows have less left over, shorter
// ones less to attend to, and each length needs a program of its own: the length of the rows for short documents is the cheapest.
func packDocuments(documents []*scoredDocument) []scoreRows {
	var best []scoreRows
	least := 0
	for _, short := range []int{64, 128, 192, 256} {
		packed := packRows(documents, short)
		cost := 0
		for _, r := range packed {
			n := len(r.rows)
			cost += programCost + batchesCost(n, rowsOfBatch(n, r.length), r.length) + n*r.length*r.length/attentionCost
		}
		if best == nil || cost < least {
			best, least = packed, cost
		}
	}
	return best
}

// packRows packs documents into rows of the given length, and longer ones into rows of a multiple of 64, as long as a further length saves
// what a program costs. A row takes the longest document that is left and then those that fill the rest of it best.
func packRows(documents []*scoredDocument, short int) (packed []scoreRows) {
	left := newRemaining(documents)
	length := 0
	for longest := left.longest(); longest > 0; longest = left.longest() {
		if own := rowLength(longest, short); length == 0 || own < length && left.saved(short, own, length) >= programCost {
			length = own
			packed = append(packed, scoreRows{length: length})
		}
		row := []*scoredDocument{left.take(longest)}
		for _, l := range left.fill(length - longest) {
			row = append(row, left.take(l))
		}
		same := &packed[len(packed)-1]
		same.rows = append(same.rows, row)
	}
	return packed
}

// rowLength returns the length of the row that a document of so many tokens would have by itself.
func rowLength(tokens, short int) int { return max(short, (tokens+63)/64*64) }

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

// saved returns how many tokens' time it saves to put the documents whose rowLength is own into such rows instead of longer ones: the
// padding of those that have a row for themselves, the attention of short ones.
func (r *remaining) saved(short, own, length int) int {
	documents, tokens := 0, 0
	for l := min(own, len(*r)-1); l > 0 && rowLength(l, short) == own; l-- {
		documents, tokens = documents+len((*r)[l]), tokens+l*len((*r)[l])
	}
	if own == short {
		return tokens * (length - own) / attentionCost
	}
	return documents * (length - own)
}

// take removes a document of the given length.
func (r *remaining) take(length int) *scoredDocument {
	same := (*r)[length]
	(*r)[length] = same[1:]
	return same[0]
}

// fill returns the lengths of documents that together come closest to n tokens without exceeding them.
func (r *remaining) fill(n int) (lengths []int) {
	last := make([]int, n+1)   // a sum's last document; 0 = no documents have this sum
	number := make([]int, n+1) // of documents of the length at hand in a sum
	for l := min(n, len(*r)-1); l > 0; l-- {
		have := len((*r)[l])
		if have == 0 {
			continue
		}
		clear(number)
		for sum := l; sum <= n; sum++ {
			before := sum - l
			if last[sum] == 0 && (before == 0 || last[before] > 0) && number[before] < have {
				last[sum], number[sum] = l, number[before]+1
			}
		}
	}
	for n > 0 && last[n] == 0 {
		n--
	}
	for ; n > 0; n -= last[n] {
		lengths = append(lengths, last[n])
	}
	return lengths
}
