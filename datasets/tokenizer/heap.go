package tokenizer

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
