package batch

import (
	"fmt"
	"iter"
)

// Loader gives the rows of a set in batches, epoch after epoch. The last batch of an epoch holds what is left over.
//
// The first epoch takes the rows as they lie, since a Mixture has shuffled them already; every later one takes the order
// Order(len(Rows), Seed, epoch). So the batches depend on nothing but the fields and the cursor.
type Loader[T any] struct {
	Rows    []T
	Size    int    // rows in a batch
	Epochs  int    // how often the set is gone through; 0 = without end, as a buffer set is
	Shuffle bool   // false: every epoch in the order of Rows
	Seed    uint64 // as the Mixture's

	cursor     Cursor
	order      []int // of epoch orderEpoch
	orderEpoch int
}

// Cursor is a place in a loader's stream of rows: Position rows of epoch Epoch have been given out.
type Cursor struct {
	Epoch    int `json:"epoch"`
	Position int `json:"position"`
}

// Batches is the number of batches in an epoch.
func (l *Loader[T]) Batches() int {
	return (len(l.Rows) + l.Size - 1) / l.Size
}

// Cursor is the place of the next batch.
func (l *Loader[T]) Cursor() Cursor { return l.cursor }

// Seek makes c the place of the next batch.
func (l *Loader[T]) Seek(c Cursor) error {
	if c.Epoch < 0 || c.Position < 0 || c.Position > 0 && c.Position >= len(l.Rows) || l.Epochs > 0 && c.Epoch > l.Epochs {
		return fmt.Errorf("place %+v is outside a set of %d rows and %d epochs: has the data changed?", c, len(l.Rows), l.Epochs)
	}
	l.cursor = c
	return nil
}

// Next returns the next batch, or false after the last one.
func (l *Loader[T]) Next() ([]T, bool) {
	batch, next, ok := l.at(l.cursor)
	l.cursor = next
	return batch, ok
}

// Ahead yields the next n batches, as far as there are any, without moving the cursor.
func (l *Loader[T]) Ahead(n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		c := l.cursor
		for range n {
			batch, next, ok := l.at(c)
			if !ok || !yield(batch) {
				return
			}
			c = next
		}
	}
}

func (l *Loader[T]) at(c Cursor) ([]T, Cursor, bool) {
	if len(l.Rows) == 0 || l.Epochs > 0 && c.Epoch >= l.Epochs {
		return nil, c, false
	}
	if l.Shuffle && c.Epoch > 0 && l.orderEpoch != c.Epoch {
		l.order, l.orderEpoch = Order(len(l.Rows), l.Seed, c.Epoch), c.Epoch
	}
	end := min(c.Position+l.Size, len(l.Rows))
	batch := make([]T, 0, end-c.Position)
	for i := c.Position; i < end; i++ {
		if l.Shuffle && c.Epoch > 0 {
			batch = append(batch, l.Rows[l.order[i]])
		} else {
			batch = append(batch, l.Rows[i])
		}
	}
	next := Cursor{c.Epoch, end}
	if end == len(l.Rows) {
		next = Cursor{c.Epoch + 1, 0}
	}
	return batch, next, true
}
