package train

import (
	"iter"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// stream gives a set's batches in the order of training, each in the parts that the programs take one by one; pairs and packed documents
// are its two kinds.
type stream interface {
	next() (m microBatch, ok bool, err error)
	Cursor() batch.Cursor
	Seek(batch.Cursor) error
	rows() int
}

// shapedLoader lays a loader's examples out in shapes chosen beforehand, and the next batches while the device works on the last ones.
// The loader's cursor stays behind what is laid out: it is the place of the batch that next returns next.
type shapedLoader[T batch.Example] struct {
	*batch.Loader[T]
	shapes  []batch.Shape
	devices int
	ahead   []chan laidOut // of the batches from the cursor on, as far as they are begun
}

// prefetch is how many batches are laid out ahead.
const prefetch = 2

type laidOut struct {
	batch microBatch
	err   error
}

func (l *shapedLoader[T]) rows() int { return len(l.Loader.Rows) }

// Seek makes c the place of the next batch.
func (l *shapedLoader[T]) Seek(c batch.Cursor) error {
	l.ahead = nil
	return l.Loader.Seek(c)
}

func (l *shapedLoader[T]) next() (microBatch, bool, error) {
	n := 0
	for examples := range l.Ahead(1 + prefetch) {
		if n++; n > len(l.ahead) {
			done := make(chan laidOut, 1) // nobody may ever want it
			go func() {
				m, err := lay(examples, l.shapes, l.devices)
				done <- laidOut{m, err}
			}()
			l.ahead = append(l.ahead, done)
		}
	}
	if _, ok := l.Loader.Next(); !ok {
		return microBatch{}, false, nil
	}
	first := <-l.ahead[0]
	l.ahead = l.ahead[1:]
	return first.batch, true, first.err
}

// shapeLimit is how many shapes of batches a stage may have: each costs one compilation of the step.
const shapeLimit = 6

// rowsOfCall is how many rows the programs take at once: one, so that a step holds no more activations than its longest row needs.
const rowsOfCall = 1

// planShapes chooses the shapes of a whole run, main and buffer together, so that both run through the same programs and a resumed run
// has the shapes of the uninterrupted one. The loaders must stand at their beginning.
func planShapes[T batch.Example](batches, devices int, loaders ...*batch.Loader[T]) []batch.Shape {
	all := func(yield func([]T) bool) {
		for _, l := range loaders {
			for examples := range shared(l.Ahead(batches), devices) {
				if !yield(examples) {
					return
				}
			}
		}
	}
	return batch.PlanShapes(iter.Seq[[]T](all), batch.Shared, rowsOfCall, shapeLimit)
}

// shared yields of each batch what each device gets.
func shared[T any](batches iter.Seq[[]T], devices int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for examples := range batches {
			for _, share := range batch.Divide(examples, devices) {
				if !yield(share) {
					return
				}
			}
		}
	}
}
