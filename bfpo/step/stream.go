package step

import (
	"iter"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/fault"
)

// Stream gives the micro-batches of one set in the order of training. It is an interface because a stream
// of pairs and a stream of packed documents have different types.
type Stream interface {
	// Next returns the next micro-batch; ok is false for an empty set, and after the last epoch of a Loader with Epochs.
	Next() (m MicroBatch, ok bool, err error)
	// Cursor is the place of the micro-batch that Next returns next.
	Cursor() batch.Cursor
	// Seek makes a place the next one.
	Seek(batch.Cursor) error
	// Rows counts the examples of the set.
	Rows() int
}

// NewStream lays the examples of a loader out in shapes chosen beforehand. The next micro-batches are laid out while
// the devices work on the last ones.
func NewStream[T batch.Example](loader *batch.Loader[T], shapes []batch.Shape, devices int) Stream {
	return &stream[T]{Loader: loader, shapes: shapes, devices: devices}
}

// stream runs ahead of its loader: the loader's cursor is the place of the micro-batch that Next returns next.
type stream[T batch.Example] struct {
	*batch.Loader[T]
	shapes  []batch.Shape
	devices int
	ahead   []chan layOutResult // of the micro-batches from the cursor on, as far as they are begun
}

// prefetch is the number of micro-batches that are laid out ahead.
const prefetch = 2

type layOutResult struct {
	micro MicroBatch
	err   error
}

func (l *stream[T]) Rows() int { return len(l.Loader.Rows) }

func (l *stream[T]) Seek(c batch.Cursor) error {
	l.ahead = nil
	return l.Loader.Seek(c)
}

func (l *stream[T]) Next() (MicroBatch, bool, error) {
	n := 0
	for examples := range l.Peek(1 + prefetch) {
		if n++; n > len(l.ahead) {
			done := make(chan layOutResult, 1) // buffered: Seek may drop it unread
			go func() {
				var result layOutResult
				result.err = fault.Call(func() (err error) {
					result.micro, err = LayOut(examples, l.shapes, l.devices)
					return err
				})
				done <- result
			}()
			l.ahead = append(l.ahead, done)
		}
	}
	if _, ok := l.Loader.Next(); !ok {
		return MicroBatch{}, false, nil
	}
	first := <-l.ahead[0]
	l.ahead = l.ahead[1:]
	return first.micro, true, first.err
}

// maxShapes is the number of batch shapes that a stage may have: each costs one compilation of the step.
const maxShapes = 6

// RowsPerCall is the number of rows that a program takes at once: one, so that a step holds no more activations than
// its longest row needs.
const RowsPerCall = 1

// maxPlanned is the number of micro-batches of a run that PlanShapes looks at.
const maxPlanned = 1 << 16

// PlanShapes chooses the batch shapes of a whole run, main and buffer set together, so that both run through the same
// programs and a resumed run has the shapes of the uninterrupted one. The loaders must stand at their beginning; n is
// the number of micro-batches of each that the run takes. The shapes of a run with more than maxPlanned micro-batches
// follow from its first ones, and hold every micro-batch of the loaders' rows.
func PlanShapes[T batch.Example](n, devices int, loaders ...*batch.Loader[T]) []batch.Shape {
	all := func(yield func([]T) bool) {
		for _, l := range loaders {
			for share := range perDevice(l.Peek(min(n, maxPlanned)), devices) {
				if !yield(share) {
					return
				}
			}
		}
	}
	shapes := batch.PlanShapes(iter.Seq[[]T](all), batch.Shared, RowsPerCall, maxShapes)
	for _, l := range loaders {
		if n > maxPlanned && len(shapes) > 0 {
			shapes = batch.Cover(shapes, l.Rows, batch.Shared)
		}
	}
	return shapes
}

// LayOutAll lays held-out examples out in micro-batches of size examples for each device.
func LayOutAll[T batch.Example](examples []T, size, devices int) ([]MicroBatch, error) {
	loader := &batch.Loader[T]{Rows: examples, Size: size * devices, Epochs: 1}
	all := loader.Peek(len(examples))
	shapes := batch.PlanShapes(perDevice(all, devices), batch.Shared, RowsPerCall, maxShapes)
	var micro []MicroBatch
	for group := range all {
		m, err := LayOut(group, shapes, devices)
		if err != nil {
			return nil, err
		}
		micro = append(micro, m)
	}
	return micro, nil
}

// perDevice yields what each device gets of each micro-batch.
func perDevice[T any](groups iter.Seq[[]T], devices int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for examples := range groups {
			for _, share := range batch.Divide(examples, devices) {
				if !yield(share) {
					return
				}
			}
		}
	}
}
