package vocabulary

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// Merges maps a pair of ids to the rank of their merge. It is a hash table with open addressing: encoding spends most
// of its time here, and with a map of Go it takes 1.6 times as long.
type Merges struct {
	slots []Merge // their number is a power of two
	count int     // of the merges
	seed  uint64  // of the hash: a file cannot be made so that its pairs fall together
}

// Merge makes one token of two.
type Merge struct {
	Left, Right int32
	order       int32 // the rank + 1; 0: the slot is free
}

// NoRank is the rank of a pair that is not merged.
const NoRank = math.MaxInt32

// NewMerges returns an empty table with room for a number of merges.
func NewMerges(size int) *Merges {
	return &Merges{slots: make([]Merge, slotsFor(size)), seed: rand.Uint64()}
}

// slotsFor returns how many slots a hash table of a number of entries has: a third of them or more stay free.
func slotsFor(entries int) int { return 1 << bits.Len(uint(entries+entries/2)) }

// slot returns the place of a pair: the slot that holds it, or a free one.
func (t *Merges) slot(left, right int32) *Merge {
	high, low := bits.Mul64((uint64(uint32(left))<<32|uint64(uint32(right)))^t.seed, 0x9E3779B97F4A7C15)
	mask := uint64(len(t.slots) - 1)
	for i := (high ^ low) & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.order == 0 || s.Left == left && s.Right == right {
			return s
		}
	}
}

// Rank returns the rank of a pair, NoRank where the table lacks it.
func (t *Merges) Rank(left, right int32) int32 {
	if s := t.slot(left, right); s.order > 0 {
		return s.order - 1
	}
	return NoRank
}

// Add adds a pair that the table lacks.
func (t *Merges) Add(left, right, rank int32) {
	if t.count++; t.count+t.count/2 >= len(t.slots) { // a search ends at a free slot
		old := t.slots
		t.slots = make([]Merge, 2*len(old))
		for _, s := range old {
			if s.order > 0 {
				*t.slot(s.Left, s.Right) = s
			}
		}
	}
	*t.slot(left, right) = Merge{left, right, rank + 1}
}

// All yields the merges, in no order.
func (t *Merges) All(yield func(Merge) bool) {
	for _, s := range t.slots {
		if s.order > 0 && !yield(s) {
			return
		}
	}
}
