package bfpo

import (
	"iter"

	"github.com/bfpo-go/bfpo/datasets"
)

// stream gives a set's batches in the order of training; pairs and packed documents are its two kinds.
type stream interface {
	next() (b datasets.Batch, ok bool, err error)
	Cursor() datasets.Cursor
	Seek(datasets.Cursor) error
	rows() int
}

// shapedLoader lays a loader's examples out in shapes chosen beforehand, and the next batches while the device works on the last ones.
// The loader's cursor stays behind what is laid out: it is the place of the batch that next returns next.
type shapedLoader[T datasets.Example] struct {
	*datasets.Loader[T]
	shapes []datasets.Shape
	ahead  []chan laidOut // of the batches from the cursor on, as far as they are begun
}

// prefetch is how many batches are laid out ahead.
const prefetch = 2

type laidOut struct {
	batch datasets.Batch
	err   error
}

func (l *shapedLoader[T]) rows() int { return len(l.Loader.Rows) }

// Seek makes c the place of the next batch.
func (l *shapedLoader[T]) Seek(c datasets.Cursor) error {
	l.ahead = nil
	return l.Loader.Seek(c)
}

func (l *shapedLoader[T]) next() (datasets.Batch, bool, error) {
	n := 0
	for examples := range l.Ahead(1 + prefetch) {
		if n++; n > len(l.ahead) {
			done := make(chan laidOut, 1) // nobody may ever want it
			go func() {
				b, err := datasets.Fill(examples, datasets.Shared, l.shapes)
				done <- laidOut{b, err}
			}()
			l.ahead = append(l.ahead, done)
		}
	}
	if _, ok := l.Loader.Next(); !ok {
		return datasets.Batch{}, false, nil
	}
	first := <-l.ahead[0]
	l.ahead = l.ahead[1:]
	return first.batch, true, first.err
}

// shapeLimit is how many shapes of batches a stage may have: each costs one compilation of the step.
const shapeLimit = 3

// planShapes chooses the shapes of a whole run, main and buffer together, so that both run through the same programs and a resumed run
// has the shapes of the uninterrupted one. The loaders must stand at their beginning.
func planShapes[T datasets.Example](batches int, loaders ...*datasets.Loader[T]) []datasets.Shape {
	all := func(yield func([]T) bool) {
		for _, l := range loaders {
			for examples := range l.Ahead(batches) {
				if !yield(examples) {
					return
				}
			}
		}
	}
	return datasets.PlanShapes(iter.Seq[[]T](all), datasets.Shared, shapeLimit)
}
