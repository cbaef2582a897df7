package train

import (
	"cmp"
	"errors"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// microBatch is one batch of one set within a step, in the parts that the programs take.
type microBatch struct {
	parts  []batch.Batch // in the order of the examples
	rounds [][]int       // which of them the devices take at a time, all of one shape; nil: one after the other
	buffer bool
}

// Batches is what the devices do at a time: a batch of each, all of one shape.
type Batches []batch.Batch

// lay lays a batch's examples out in the parts that cost least, for so many devices. Each device gets about as many examples as any other,
// and no example is cut.
func lay[T batch.Example](examples []T, shapes []batch.Shape, devices int) (m microBatch, err error) {
	var pieces [][]T
	for _, share := range batch.Divide(examples, devices) {
		parts, err := batch.Split(share, batch.Shared, shapes)
		if err != nil {
			return m, err
		}
		pieces = append(pieces, parts...)
	}
	m.parts = make([]batch.Batch, len(pieces))
	for i, piece := range pieces {
		if m.parts[i], err = batch.Fill(piece, batch.Shared, shapes); err != nil {
			return m, err
		}
	}
	if devices == 1 {
		return m, nil
	}
	return m, deal(&m, pieces, devices)
}

// deal puts the parts into rounds of as many as there are devices, like with like. Where the parts of a round differ, the smaller ones are
// laid out again in the shape of the largest.
func deal[T batch.Example](m *microBatch, pieces [][]T, devices int) error {
	order := make([]int, len(pieces))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(m.parts[j].Length, m.parts[i].Length) })
	var round []int
	for _, i := range order {
		if len(round) > 0 && len(round) < devices {
			b, err := batch.Fill(pieces[i], batch.Shared, []batch.Shape{m.parts[round[0]].Shape})
			if err == nil {
				m.parts[i], round = b, append(round, i)
				continue
			} else if !errors.Is(err, batch.ErrNoShape) { // a shape with longer rows may have room for fewer targets
				return err
			}
		}
		if len(round) > 0 {
			m.rounds = append(m.rounds, round)
		}
		round = []int{i}
	}
	m.rounds = append(m.rounds, round)
	return nil
}

// inRounds lets so many devices do something with all parts of a micro-batch, and gives the results in the order of the parts. Devices
// without a part in the last rounds get padding.
func inRounds[R any](m microBatch, devices int, do func(Batches) ([]R, error)) ([]R, error) {
	rounds := m.rounds
	if rounds == nil {
		for i := range m.parts {
			rounds = append(rounds, []int{i})
		}
	}
	results := make([]R, len(m.parts))
	for _, round := range rounds {
		batches := make(Batches, devices)
		for device := range batches {
			batches[device] = m.parts[round[0]].Padding()
			if device < len(round) {
				batches[device] = m.parts[round[device]]
			}
		}
		got, err := do(batches)
		if err != nil {
			return nil, err
		}
		for device, i := range round {
			results[i] = got[device]
		}
	}
	return results, nil
}

// lossTerms counts what the batch's loss is a mean over: pairs, or scored tokens.
func (m microBatch) lossTerms() (n int) {
	for _, part := range m.parts {
		n += lossTerms(part)
	}
	return n
}

// samples counts the batch's pairs, or packed rows.
func (m microBatch) samples() (n int) {
	for _, part := range m.parts {
		n += len(part.IDs)
	}
	return n
}
