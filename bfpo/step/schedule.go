package step

import (
	"math"

	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Schedule is the learning rate over a run, as transformers 4.36 computes it.
type Schedule struct {
	Kind   string  // linear, cosine, constant or constant_with_warmup
	Peak   float64 // learning_rate
	Warmup int     // steps from 0 to the peak
	Total  int     // optimizer steps of the run
}

// LearningRate returns the rate of a step, counted from 0. With w = Warmup, T = Total and p = (step - w) / max(1, T -
// w):
//
//	step < w:  Peak * step / w            (not for constant; so the first step of a warm-up has rate 0)
//	linear:    Peak * max(0, (T - step) / max(1, T - w))
//	cosine:    Peak * max(0, (1 + cos(pi p)) / 2)
//	constant, constant_with_warmup: Peak
func (s Schedule) LearningRate(step int) float64 {
	if step < s.Warmup && s.Kind != "constant" {
		return s.Peak * (float64(step) / float64(s.Warmup))
	}
	span := float64(max(1, s.Total-s.Warmup))
	switch s.Kind {
	case "linear":
		return s.Peak * max(0, float64(s.Total-step)/span)
	case "cosine":
		progress := float64(step-s.Warmup) / span
		return s.Peak * max(0, 0.5*(1+math.Cos(math.Pi*progress)))
	}
	return s.Peak
}

// Count divides the micro-batches of a run into optimizer steps.
type Count struct {
	MicroBatchRows int // rows of a full micro-batch, over all devices
	MicroBatches   int // micro-batches in one pass over the data; the last may be smaller
	PerStep        int // micro-batches of a full step
	PerEpoch       int // optimizer steps in one pass
	Total          int // optimizer steps of the run

	// Carry carries the leftover micro-batches of a pass over into the next one, and drops them at the end of the run, as
	// transformers 4.36 does. (There a step ends with its pass if the whole pass is shorter than a step.) Without Carry
	// they make a smaller last step of their pass.
	Carry bool
}

// NewCount counts the optimizer steps of a run over rows examples of the main set: maxSteps if it is positive,
// otherwise the steps of the given number of epochs.
func NewCount(rows, perMicroBatch, accumulate, maxSteps int, epochs float64, carry bool) Count {
	c := Count{
		MicroBatchRows: perMicroBatch,
		MicroBatches:   (rows + perMicroBatch - 1) / perMicroBatch,
		PerStep:        accumulate,
		Carry:          carry,
	}
	c.PerEpoch = (c.MicroBatches + c.PerStep - 1) / c.PerStep
	if carry {
		c.PerEpoch = max(1, c.MicroBatches/c.PerStep)
	}
	c.Total = maxSteps
	if maxSteps <= 0 {
		c.Total = int(math.Ceil(epochs * float64(c.PerEpoch)))
	}
	if rows == 0 {
		c.Total = 0
	}
	return c
}

// Ends reports whether an optimizer step ends with a micro-batch, counted from 0 over all passes.
func (c Count) Ends(micro int) bool {
	last := micro%c.MicroBatches == c.MicroBatches-1
	if c.Carry {
		return (micro+1)%c.PerStep == 0 || last && c.MicroBatches <= c.PerStep
	}
	return (micro%c.MicroBatches+1)%c.PerStep == 0 || last
}

// MicroBatch returns the number, counted from 0 over all passes, of the micro-batch that begins at a place of the main
// set.
func (c Count) MicroBatch(at batch.Cursor) int {
	return at.Epoch*c.MicroBatches + at.Position/c.MicroBatchRows
}
