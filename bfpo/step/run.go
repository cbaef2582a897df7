package step

import (
	"slices"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// PendingReports are the reports of all program calls of one micro-batch, as they lie on the devices.
type PendingReports struct {
	batches int
	places  [][]int
	pending []Pending
}

// Read returns the report of each batch of the micro-batch, in the order of its Batches. It waits for the calls.
func (p PendingReports) Read() ([]Report, error) {
	reports := make([]Report, p.batches)
	for i, pending := range p.pending {
		read, err := pending.Read()
		if err != nil {
			return nil, err
		}
		for j, place := range p.places[i] {
			reports[place] = read[j]
		}
	}
	return reports, nil
}

// AccumulateMicroBatch adds the gradient of a micro-batch to the accumulator, each of its losses times weight.
func (s *Stepper) AccumulateMicroBatch(m MicroBatch, weight float32) (PendingReports, error) {
	return s.runCalls(m, func(batches []batch.Batch) (Pending, error) {
		weights := make([][]float32, len(batches))
		for i, b := range batches {
			weights[i] = slices.Repeat([]float32{weight}, len(b.IDs))
		}
		return s.Accumulate(batches, weights)
	})
}

// MeasureMicroBatch computes the losses of a micro-batch and changes nothing.
func (s *Stepper) MeasureMicroBatch(m MicroBatch) (PendingReports, error) {
	return s.runCalls(m, s.Measure)
}

func (s *Stepper) runCalls(m MicroBatch, run func([]batch.Batch) (Pending, error)) (PendingReports, error) {
	reports := PendingReports{batches: len(m.Batches)}
	for places, batches := range m.Calls(s.Mesh().Devices()) {
		pending, err := run(batches)
		if err != nil {
			return PendingReports{}, err
		}
		reports.places, reports.pending = append(reports.places, places), append(reports.pending, pending)
	}
	return reports, nil
}

// ReferenceMicroBatch computes log pi_ref of each target of a micro-batch, in nats, in the order of its Batches.
func (s *Stepper) ReferenceMicroBatch(m MicroBatch) ([][]float32, error) {
	values := make([][]float32, len(m.Batches))
	for places, batches := range m.Calls(s.Mesh().Devices()) {
		computed, err := s.Reference(batches)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			values[place] = computed[i]
		}
	}
	return values, nil
}
