package mistral

import (
	"cmp"
	"slices"
)

// longBatchStep divides the size of a batch that holds a single long document.
const longBatchStep = 256

// packDocuments packs documents into batches, the longest first, and returns the batches and their sizes in tokens.
// Sizes are about size and mostly equal, since each has to be compiled. A document that is longer than size has a
// batch for itself.
func packDocuments(documents []*scoredDocument, size int) (batches [][]*scoredDocument, sizes []int) {
	var short []*scoredDocument
	for _, d := range documents {
		if d.length > size {
			batches = append(batches, []*scoredDocument{d})
			sizes = append(sizes, roundUpToMultiple(d.length, longBatchStep))
		} else {
			short = append(short, d)
		}
	}
	size = evenSize(short, size)
	left := newUnpacked(short)
	for longest := left.longest(); longest > 0; longest = left.longest() {
		batch := []*scoredDocument{left.take(longest)}
		for _, l := range left.closestSum(size - longest) {
			batch = append(batch, left.take(l))
		}
		batches, sizes = append(batches, batch), append(sizes, size)
	}
	return batches, sizes
}

// evenSize returns a batch size near the given one with which the last batch is as full as the others. One
// sixty-fourth is added because documents do not fill a batch exactly.
func evenSize(documents []*scoredDocument, size int) int {
	total, longest := 0, 0
	for _, d := range documents {
		total, longest = total+d.length, max(longest, d.length)
	}
	if total <= size {
		return paddedLength(total)
	}
	batches := (total + size/2) / size
	return max(roundUpToMultiple(total/batches+total/batches/64, 64), roundUpToMultiple(longest, 64))
}

// packRows packs documents into rows of the given length, the longest first and each into the first row with enough
// room. No document is longer than a row.
func packRows(documents []*scoredDocument, length int) (rows [][]*scoredDocument) {
	documents = slices.Clone(documents)
	slices.SortStableFunc(documents, func(a, b *scoredDocument) int { return cmp.Compare(b.length, a.length) })
	var room []int
	for _, d := range documents {
		i := slices.IndexFunc(room, func(n int) bool { return n >= d.length })
		if i < 0 {
			i = len(rows)
			rows, room = append(rows, nil), append(room, length)
		}
		rows[i] = append(rows[i], d)
		room[i] -= d.length
	}
	return rows
}

// unpacked holds the documents that are not in a batch yet, by their length.
type unpacked [][]*scoredDocument

func newUnpacked(documents []*scoredDocument) unpacked {
	longest := 0
	for _, d := range documents {
		longest = max(longest, d.length)
	}
	r := make(unpacked, longest+1)
	for _, d := range documents {
		r[d.length] = append(r[d.length], d)
	}
	return r
}

// longest returns the length of the longest document, or 0.
func (r *unpacked) longest() int {
	for len(*r) > 1 && len((*r)[len(*r)-1]) == 0 {
		*r = (*r)[:len(*r)-1]
	}
	return len(*r) - 1
}

// take removes a document of the given length.
func (r *unpacked) take(length int) *scoredDocument {
	same := (*r)[length]
	(*r)[length] = same[1:]
	return same[0]
}

// closestSum returns the lengths of documents whose sum comes closest to n without exceeding it. It prefers long
// documents.
func (r *unpacked) closestSum(n int) (lengths []int) {
	last := make([]int, n+1)   // length of the last document of a sum; 0 = no documents have this sum
	number := make([]int, n+1) // how many documents of length l a sum has
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
