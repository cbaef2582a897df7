package batch

import (
	"fmt"
	"iter"
)

// Loader returns the rows of a set in micro-batches, epoch after epoch. The last micro-batch of an epoch may be
// smaller.
//
// The first epoch takes the rows in their order, since a Mixture has shuffled them already; every later epoch takes
// them in the order EpochOrder(len(Rows), Seed, epoch). So the micro-batches depend only on the fields and the cursor.
type Loader[T any] struct {
	Rows    []T
	Size    int    // rows of a micro-batch
	Epochs  int    // passes over the set; 0: without end, as in training, where step.Count ends the run
	Shuffle bool   // false: every epoch takes the order of Rows
	Seed    uint64 // of the shuffles from the second epoch on; a recipe's seed, not the data_seed of the Mixture

	cursor     Cursor
	order      []int // of epoch orderEpoch
	orderEpoch int
}

// Cursor is a place in a loader's stream of rows: Position rows of epoch Epoch have been returned.
type Cursor struct {
	Epoch    int `json:"epoch"`
	Position int `json:"position"`
}

// MicroBatches is the number of micro-batches in an epoch.
func (l *Loader[T]) MicroBatches() int {
	return (len(l.Rows) + l.Size - 1) / l.Size
}

// Cursor is the place of the next micro-batch.
func (l *Loader[T]) Cursor() Cursor { return l.cursor }

// Seek makes c the place of the next micro-batch. A place outside the set is an error: the data may have changed since
// the cursor was stored.
func (l *Loader[T]) Seek(c Cursor) error {
	inEpoch := c.Position == 0 || c.Position > 0 && c.Position < len(l.Rows)
	if !inEpoch || c.Epoch < 0 || l.Epochs > 0 && c.Epoch > l.Epochs {
		return fmt.Errorf("place %+v is outside a set of %d rows and %d epochs: has the data changed?",
			c, len(l.Rows), l.Epochs)
	}
	l.cursor = c
	return nil
}

// Next returns the next micro-batch, or false after the last one.
func (l *Loader[T]) Next() ([]T, bool) {
	examples, next, ok := l.at(l.cursor)
	l.cursor = next
	return examples, ok
}

// Peek yields the next n micro-batches, or as many as are left, without moving the cursor.
func (l *Loader[T]) Peek(n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		c := l.cursor
		for range n {
			examples, next, ok := l.at(c)
			if !ok || !yield(examples) {
				return
			}
			c = next
		}
	}
}

// at returns the micro-batch at c and the place after it; false after the last epoch.
func (l *Loader[T]) at(c Cursor) ([]T, Cursor, bool) {
	if len(l.Rows) == 0 || l.Epochs > 0 && c.Epoch >= l.Epochs {
		return nil, c, false
	}
	if l.Shuffle && c.Epoch > 0 && l.orderEpoch != c.Epoch {
		l.order, l.orderEpoch = EpochOrder(len(l.Rows), l.Seed, c.Epoch), c.Epoch
	}
	end := min(c.Position+l.Size, len(l.Rows))
	examples := make([]T, 0, end-c.Position)
	for i := c.Position; i < end; i++ {
		if l.Shuffle && c.Epoch > 0 {
			examples = append(examples, l.Rows[l.order[i]])
		} else {
			examples = append(examples, l.Rows[i])
		}
	}
	next := Cursor{c.Epoch, end}
	if end == len(l.Rows) {
		next = Cursor{c.Epoch + 1, 0}
	}
	return examples, next, true
}
