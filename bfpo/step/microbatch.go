package step

import (
	"cmp"
	"errors"
	"iter"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// MicroBatch is one draw of rows from one set, for all devices together, laid out in the batches that programs take.
type MicroBatch struct {
	Batches []batch.Batch // in the order of the examples
	Buffer  bool          // of the buffer set

	// calls lists which batches the devices take in one program call, all of one shape; nil is one batch after the other.
	calls [][]int
}

// LayOut lays examples out in the batches that cost least. Each device gets about as many examples as any other, and no
// example is cut.
func LayOut[T batch.Example](examples []T, shapes []batch.Shape, devices int) (m MicroBatch, err error) {
	var groups [][]T // the examples of each batch
	for _, share := range batch.Divide(examples, devices) {
		split, err := batch.Split(share, batch.Shared, shapes)
		if err != nil {
			return m, err
		}
		groups = append(groups, split...)
	}
	m.Batches = make([]batch.Batch, len(groups))
	for i, group := range groups {
		if m.Batches[i], err = batch.Fill(group, batch.Shared, shapes); err != nil {
			return m, err
		}
	}
	if devices == 1 {
		return m, nil
	}
	return m, groupCalls(&m, groups, devices)
}

// groupCalls groups the batches into calls of one batch per device, the longest first. Where the batches of a call
// differ in shape, the smaller ones are laid out again in the shape of the largest.
func groupCalls[T batch.Example](m *MicroBatch, groups [][]T, devices int) error {
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(m.Batches[j].Length, m.Batches[i].Length) })
	var call []int
	for _, i := range order {
		if len(call) > 0 && len(call) < devices {
			b, err := batch.Fill(groups[i], batch.Shared, []batch.Shape{m.Batches[call[0]].Shape})
			if err == nil {
				m.Batches[i], call = b, append(call, i)
				continue
			} else if !errors.Is(err, batch.ErrNoShape) { // a shape with longer rows may have room for fewer targets
				return err
			}
		}
		if len(call) > 0 {
			m.calls = append(m.calls, call)
		}
		call = []int{i}
	}
	m.calls = append(m.calls, call)
	return nil
}

// Calls yields the batches of each program call, one per device, and their places in Batches. A device for which a call
// has no batch gets padding, which has no place.
func (m MicroBatch) Calls(devices int) iter.Seq2[[]int, []batch.Batch] {
	return func(yield func([]int, []batch.Batch) bool) {
		calls := m.calls
		if calls == nil {
			for i := range m.Batches {
				calls = append(calls, []int{i})
			}
		}
		for _, places := range calls {
			batches := make([]batch.Batch, devices)
			for i := range batches {
				if i < len(places) {
					batches[i] = m.Batches[places[i]]
				} else {
					batches[i] = m.Batches[places[0]].PaddingBatch()
				}
			}
			if !yield(places, batches) {
				return
			}
		}
	}
}

// LossTerms counts what the mean loss of the micro-batch is taken over: pairs, or scored tokens.
func (m MicroBatch) LossTerms() (n int) {
	for _, b := range m.Batches {
		n += b.LossTerms()
	}
	return n
}

// Samples counts the pairs, or packed rows.
func (m MicroBatch) Samples() (n int) {
	for _, b := range m.Batches {
		n += len(b.IDs)
	}
	return n
}

// ShapesOf returns the distinct shapes of the batches of micro-batches.
func ShapesOf(micro []MicroBatch) (shapes []batch.Shape) {
	for _, m := range micro {
		for _, b := range m.Batches {
			if !slices.Contains(shapes, b.Shape) {
				shapes = append(shapes, b.Shape)
			}
		}
	}
	return shapes
}
