package rowfile

import (
	"errors"
	"fmt"
)

// Bounds on what a file may hold, so that a small hostile file is an error before it fills the memory. Honest text
// shrinks by a factor of 3 to 20 when it is compressed.
const (
	maxExpansion = 200      // a file may decode to this many times its size …
	minExpansion = 32 << 20 // … or to this many bytes, whichever is more
	maxRow       = 64 << 20 // bytes of the JSON of one row in a file at least as long; in a shorter one …
	minRow       = 4 << 20  // … it is the file's length, or this many bytes, whichever is more
	maxRowValues = 3 << 18  // values of one row, such as token ids, where …
	objectValues = 8        // … an object counts as this many more, for the memory of Go's maps, …
	memberValues = 2        // … each of its members as this many more …
	arrayValues  = 1        // … and an array as this many more
	rowCost      = 256      // bytes that a row takes beside its text
	valueCost    = 32       // bytes that a value takes beside its text
)

// limits are the bounds on one file.
type limits struct {
	row    int // bytes of one row
	budget *budget
}

// newLimits returns the bounds on a file of the given size on disk.
func newLimits(size int64) limits {
	return limits{row: int(min(max(size, minRow), maxRow)), budget: newBudget(size)}
}

// budget is how many more bytes a file may decode to.
type budget struct{ left int64 }

func newBudget(size int64) *budget { return &budget{max(minExpansion, maxExpansion*size)} }

// spend takes n bytes from the budget.
func (b *budget) spend(n int64) error {
	if n < 0 || n > b.left {
		b.left = 0
		return fmt.Errorf("the file decodes to more than %d times its size and %d MiB; "+
			"unpack it, or split it into several files, if it is sound", maxExpansion, minExpansion>>20)
	}
	b.left -= n
	return nil
}

// tooLong is the error for a row that is longer than limit bytes.
func tooLong(limit int) error { return fmt.Errorf("the row is longer than %d MiB", limit>>20) }

// errTooManyValues is the error for a row with more than maxRowValues values.
var errTooManyValues = fmt.Errorf("the row has more than %d values", maxRowValues)

// errNoValue is the error for a word of JSON that is none.
var errNoValue = errors.New("invalid character looking for a value")
