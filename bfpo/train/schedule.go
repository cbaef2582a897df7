package train

import (
	"math"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Schedule is the learning rate over a run, as transformers 4.36 computes it.
type Schedule struct {
	Kind   string  // linear, cosine, constant or constant_with_warmup
	Peak   float64 // learning_rate
	Warmup int     // steps from 0 to the peak
	Total  int     // optimizer steps of the run
}

// Schedule is the configuration's learning rate over a run of that many optimizer steps.
func newSchedule(c recipe.Config, total int) Schedule {
	warmup := c.WarmupSteps
	if warmup <= 0 {
		warmup = int(math.Ceil(float64(total) * c.WarmupRatio))
	}
	return Schedule{Kind: c.LRSchedulerType, Peak: c.LearningRate, Warmup: warmup, Total: total}
}

// LearningRate is the rate used in a step, counted from 0. With w = Warmup, T = Total and p = (step - w) / max(1, T - w):
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

// Steps divides the micro-batches of a run into optimizer steps.
type Steps struct {
	Batch      int // rows of a full micro-batch, over all devices
	Batches    int // micro-batches in one pass over the data; the last may be smaller
	Accumulate int // micro-batches of a full step
	PerEpoch   int
	Total      int

	carry bool
}

// Steps counts the optimizer steps of a run over that many pairs (or packed rows) of the main set.
//
// In clean text format the leftover micro-batches of a pass make a smaller last step. In seed format they are carried over into the next
// pass, and dropped at the end, as transformers 4.36 does; a pass shorter than one step then ends a step early.
func newSteps(c recipe.Config, rows int) Steps {
	batch := c.PerDeviceTrainBatchSize * c.Devices
	s := Steps{Batch: batch, Batches: (rows + batch - 1) / batch, Accumulate: c.GradientAccumulationSteps, carry: c.TextFormat == "seed"}
	s.PerEpoch = (s.Batches + s.Accumulate - 1) / s.Accumulate
	if s.carry {
		s.PerEpoch = max(1, s.Batches/s.Accumulate)
	}
	s.Total = c.MaxSteps
	if c.MaxSteps <= 0 {
		s.Total = int(math.Ceil(c.NumTrainEpochs * float64(s.PerEpoch)))
	}
	if rows == 0 {
		s.Total = 0
	}
	return s
}

// Ends tells whether an optimizer step ends with a micro-batch, counted from 0 over all passes.
func (s Steps) Ends(micro int) bool {
	last := micro%s.Batches == s.Batches-1
	if s.carry {
		return (micro+1)%s.Accumulate == 0 || last && s.Batches <= s.Accumulate
	}
	return (micro%s.Batches+1)%s.Accumulate == 0 || last
}

// Micro is the number, counted from 0 over all passes, of the micro-batch that begins at a place of the main set.
func (s Steps) Micro(at batch.Cursor) int { return at.Epoch*s.Batches + at.Position/s.Batch }
