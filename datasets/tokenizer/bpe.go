package tokenizer

import (
	"slices"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// bpe is a byte-pair encoding model. It starts from the characters or bytes of a word and merges neighbouring symbols,
// the pair of lowest rank first and the leftmost of equal pairs, until no pair of the merge list is left.
type bpe struct {
	vocab     *vocabulary.Table
	merges    *vocabulary.Merges
	merged    []int32              // rank -> id of the merged symbol
	letters   [256]int32           // byte-level models: byte -> id of its letter, -1 where the vocabulary lacks it
	ascii     [utf8.RuneSelf]int32 // other models: character -> id, -1 where the vocabulary lacks it
	byteLevel bool
	fallback  bool              // a character that the vocabulary lacks is spelled in <0xNN> tokens
	bytes     [256]int32        // byte -> id of <0xNN>, -1 where the vocabulary lacks it
	unknown   int32             // token for a character that the vocabulary lacks; -1: the character is dropped
	fuse      bool              // a run of characters that the vocabulary lacks becomes one unknown token
	whole     *vocabulary.Table // ignore_merges: words that are tokens are not split; nil without it
	prefix    string            // before each character of a word but the first, in the vocabulary
	suffix    string            // after the last character of a word, in the vocabulary
}

// id returns the id of a token, -1 where the vocabulary lacks it.
func (m *bpe) id(text string) int32 {
	if id, ok := m.vocab.ID(text); ok {
		return id
	}
	return -1
}

// workspace holds the symbols of one word while it is encoded; it is reused, so that a word allocates nothing.
type workspace struct {
	ids, prev, next []int32 // a doubly linked list over positions
	ranks           []int32 // by position: rank of the pair (symbol, next symbol)
	heap            minHeap // rank<<32 | position: the least is the leftmost pair of lowest rank
}

// shortWord is the number of symbols up to which a scan for the lowest rank is faster than a heap.
const shortWord = 24

// encode appends the ids of one word, which is raw bytes for byte-level models. It takes O(n log n) time.
func (m *bpe) encode(w *workspace, text string, out []int32) []int32 {
	if m.whole != nil {
		if id, ok := m.whole.ID(text); ok {
			return append(out, id)
		}
	}
	w.ids = w.ids[:0]
	if m.byteLevel {
		m.splitBytes(w, text)
	} else {
		m.splitCharacters(w, text)
	}
	n := len(w.ids)
	if n < 2 {
		return append(out, w.ids...)
	}
	w.ranks = slices.Grow(w.ranks[:0], n)[:n]
	for i := range n - 1 {
		w.ranks[i] = m.merges.Rank(w.ids[i], w.ids[i+1])
	}
	w.ranks[n-1] = vocabulary.NoRank
	if n <= shortWord {
		return append(out, m.mergeShort(w)...)
	}
	return m.mergeLong(w, out)
}

// splitBytes fills w.ids with one symbol per byte.
func (m *bpe) splitBytes(w *workspace, text string) {
	inUnknown := false
	for i := range len(text) {
		if id := m.letters[text[i]]; id >= 0 {
			w.ids, inUnknown = append(w.ids, id), false
			continue
		}
		inUnknown = m.addUnknown(w, inUnknown)
	}
}

// splitCharacters fills w.ids with one symbol per character; a character that the vocabulary lacks becomes its bytes,
// or else the unknown token.
func (m *bpe) splitCharacters(w *workspace, text string) {
	inUnknown := false
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		char := text[i : i+size]
		if m.prefix != "" && i > 0 {
			char = m.prefix + char
		}
		if i += size; m.suffix != "" && i == len(text) {
			char += m.suffix
		}
		if id := m.character(char); id >= 0 {
			w.ids, inUnknown = append(w.ids, id), false
			continue
		}
		if m.fallback && m.addBytes(w, char) {
			inUnknown = false
			continue
		}
		inUnknown = m.addUnknown(w, inUnknown)
	}
}

// character returns the id of a character as a word of it is spelled, -1 where the vocabulary lacks it.
func (m *bpe) character(char string) int32 {
	if len(char) == 1 && char[0] < utf8.RuneSelf {
		return m.ascii[char[0]]
	}
	return m.id(char)
}

// addBytes appends the <0xNN> tokens of a character and reports whether the vocabulary has all of them.
func (m *bpe) addBytes(w *workspace, char string) bool {
	for i := range len(char) {
		if m.bytes[char[i]] < 0 {
			return false
		}
	}
	for i := range len(char) {
		w.ids = append(w.ids, m.bytes[char[i]])
	}
	return true
}

// addUnknown appends the unknown token, unless the last symbol is one (inUnknown) and the two are fused. It reports
// whether the last symbol is now an unknown token.
func (m *bpe) addUnknown(w *workspace, inUnknown bool) bool {
	if m.unknown < 0 {
		return false
	}
	if !inUnknown || !m.fuse {
		w.ids = append(w.ids, m.unknown)
	}
	return true
}

// mergeShort merges in place, scanning all pairs for each merge, and returns the symbols that are left.
func (m *bpe) mergeShort(w *workspace) []int32 {
	ids, ranks := w.ids, w.ranks
	for {
		best := 0
		for i, rank := range ranks {
			if rank < ranks[best] {
				best = i
			}
		}
		rank := ranks[best]
		if rank == vocabulary.NoRank {
			return ids
		}
		ids[best] = m.merged[rank]
		ids = slices.Delete(ids, best+1, best+2)
		ranks = slices.Delete(ranks, best+1, best+2)
		if best+1 < len(ids) {
			ranks[best] = m.merges.Rank(ids[best], ids[best+1])
		} else {
			ranks[best] = vocabulary.NoRank
		}
		if best > 0 {
			ranks[best-1] = m.merges.Rank(ids[best-1], ids[best])
		}
	}
}

// mergeLong merges with a heap of candidate pairs over a linked list and appends the symbols that are left to out. A
// candidate is stale, and skipped, when the rank at its position has changed.
func (m *bpe) mergeLong(w *workspace, out []int32) []int32 {
	n := len(w.ids)
	w.prev, w.next = slices.Grow(w.prev[:0], n)[:n], slices.Grow(w.next[:0], n)[:n]
	w.heap = w.heap[:0]
	for i := range n {
		w.prev[i], w.next[i] = int32(i-1), int32(i+1)
		if w.ranks[i] != vocabulary.NoRank {
			w.heap = append(w.heap, candidate(w.ranks[i], i))
		}
	}
	w.heap.order()
	for len(w.heap) > 0 {
		top := w.heap.pop()
		rank, at := int32(top>>32), int32(uint32(top))
		if w.ranks[at] != rank {
			continue
		}
		w.ids[at] = m.merged[rank]
		removed := w.next[at]
		w.ranks[removed] = vocabulary.NoRank
		after := w.next[removed]
		w.next[at] = after
		w.ranks[at] = vocabulary.NoRank
		if int(after) < n {
			w.prev[after] = at
			m.rerank(w, at, after)
		}
		if before := w.prev[at]; before >= 0 {
			m.rerank(w, before, at)
		}
	}
	for i := 0; i < n; i = int(w.next[i]) {
		out = append(out, w.ids[i])
	}
	return out
}

// candidate is the heap's element for the pair at a position.
func candidate(rank int32, at int) uint64 { return uint64(rank)<<32 | uint64(at) }

// rerank looks up the pair at two neighbouring positions and makes it a candidate.
func (m *bpe) rerank(w *workspace, left, right int32) {
	rank := m.merges.Rank(w.ids[left], w.ids[right])
	w.ranks[left] = rank
	if rank != vocabulary.NoRank {
		w.heap.push(candidate(rank, int(left)))
	}
}

// minHeap is a binary heap whose least element is first. (container/heap would box every element that it pushes and
// pops.)
type minHeap []uint64

// order makes a heap of elements in any order.
func (h minHeap) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

// push adds an element.
func (h *minHeap) push(x uint64) {
	s := append(*h, x)
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if s[parent] <= x {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = x
	*h = s
}

// pop removes and returns the least element; the heap must not be empty.
func (h *minHeap) pop() uint64 {
	s := *h
	least, last := s[0], len(s)-1
	s[0] = s[last]
	*h = s[:last]
	if last > 0 {
		h.sink(0)
	}
	return least
}

// sink moves element i down to where no child is less than it.
func (h minHeap) sink(i int) {
	x := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if h[child] >= x {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = x
}
