package step

import "github.com/bfpo-go/bfpo/graph/device"

// Resident is what a step keeps on each device between its programs' runs, in bytes.
type Resident struct {
	Base, Masters, Moments, Gradients int64
}

// Resident returns the sizes of what a Stepper keeps on each device.
func (s *Stepper) Resident() Resident {
	return Resident{
		Base: s.model.Base.Bytes(), Masters: s.Masters.Bytes(), Moments: s.M.Bytes() + s.V.Bytes(),
		Gradients: s.accumulator.Bytes(),
	}
}

// Total returns the sum of all parts.
func (r Resident) Total() int64 { return r.Base + r.Masters + r.Moments + r.Gradients }

// Peak returns the most that a step takes on each device, in bytes: while a program runs, what the other programs need
// stays resident.
//
//	peak = max(grads + moments, apply + base, measure + gradients + moments)
func (p Programs) Peak(r Resident) int64 {
	most := max(Peak(p.Grads)+r.Moments, Peak(p.Apply)+r.Base)
	if p.Measure.Inputs > 0 {
		most = max(most, Peak(p.Measure)+r.Gradients+r.Moments)
	}
	return most
}

// Base returns the frozen weights.
func (s *Stepper) Base() *device.TensorSet { return s.model.Base }
