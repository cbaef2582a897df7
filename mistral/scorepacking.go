package mistral

import (
	"cmp"
	"slices"
)

// longStep divides the size of a batch that is for one long document.
const longBatchStep = 256

// packDocuments puts documents into batches, longest first, and returns them and their sizes in tokens, which are
// about size, and as few as can be: each is to be compiled for. A document that is longer has a batch for itself.
func packDocuments(documents []*scoredDocument, size int) (batches [][]*scoredDocument, sizes []int) {
	var short []*scoredDocument
	for _, d := range documents {
		if d.length > size {
			batches, sizes = append(batches, []*scoredDocument{d}), append(sizes, roundUpToMultiple(d.length, longBatchStep))
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

// evenSize returns the size of batches of about the given one, such that the last is as full as the others. A
// sixty-fourth more is for what does not fit.
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

// inRows puts documents one behind the other into rows of a length that none exceeds, each into the first that has
// room.
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

// remaining is the documents that are in no batch yet, by their length; none is longer than the last.
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

// fill returns the lengths of documents that together come closest to n tokens without exceeding them, long ones
// rather than short ones.
func (r *unpacked) closestSum(n int) (lengths []int) {
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
