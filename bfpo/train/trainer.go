package train

import (
	"context"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Trainer runs the optimizer steps of one stage: each step accumulates the gradients of its micro-batches, main and
// buffer in turn, and updates once. The embedded Stepper holds the state and the programs: Step, Load, Restore, Apply,
// AccumulateMicroBatch.
type Trainer struct {
	*step.Stepper
	Count        step.Count
	main, buffer step.Stream // buffer is nil without a buffer set
	schedule     step.Schedule
	meanOfMeans  bool // weigh micro-batches as the original code does: the mean of the micro-batches' means
	logRows      bool
}

// NewTrainer returns a trainer of a recipe over inputs that were laid out for it.
func NewTrainer(c recipe.Config, stepper *step.Stepper, in data.Inputs) *Trainer {
	return &Trainer{
		Stepper: stepper, Count: in.Count, main: in.Main, buffer: in.Buffer, schedule: newSchedule(c, in.Count.Total),
		meanOfMeans: c.TextFormat == "seed", logRows: c.LogRows,
	}
}

// newSchedule returns a recipe's learning rate over a run of total optimizer steps.
func newSchedule(c recipe.Config, total int) step.Schedule {
	warmup := c.WarmupSteps
	if warmup <= 0 {
		warmup = int(math.Ceil(float64(total) * c.WarmupRatio))
	}
	return step.Schedule{Kind: c.LRSchedulerType, Peak: c.LearningRate, Warmup: warmup, Total: total}
}

// Steps runs the remaining steps and yields the metrics of each. It stops after an error, which is ctx's when that is
// done between two steps; a loss that is no number stops it before the weights are touched.
func (t *Trainer) Steps(ctx context.Context) iter.Seq2[track.Metrics, error] {
	return func(yield func(track.Metrics, error) bool) {
		for t.Step < t.Count.Total {
			if err := ctx.Err(); err != nil {
				yield(track.Metrics{}, err)
				return
			}
			m, err := t.RunStep()
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// RunStep is one optimizer step: draw the micro-batches, accumulate their gradients, check the losses, update.
func (t *Trainer) RunStep() (track.Metrics, error) {
	started := time.Now()
	micro, err := t.draw()
	if err != nil {
		return track.Metrics{}, err
	}
	tally, err := t.accumulate(micro)
	if err != nil {
		return track.Metrics{}, fmt.Errorf("step %d: %w", t.Step+1, err)
	}
	metrics := tally.metrics(t.logRows)
	metrics.Step = t.Step + 1
	metrics.Epoch = t.Epochs()
	metrics.LearningRate = t.schedule.LearningRate(t.Step)
	if err := metrics.CheckFinite(); err != nil {
		return metrics, err
	}
	if metrics.GradNorm, err = t.Apply(metrics.LearningRate); err != nil {
		return metrics, fmt.Errorf("step %d: %w", t.Step, err)
	}
	metrics.Seconds = time.Since(started).Seconds()
	if err := metrics.CheckFinite(); err != nil {
		return metrics, err
	}
	if !t.logRows {
		metrics.Rows = nil
	}
	return metrics, nil
}

// draw takes the micro-batches of the next step: each micro-batch of the main set, followed by one of the buffer.
func (t *Trainer) draw() ([]step.MicroBatch, error) {
	var drawn []step.MicroBatch
	for number := t.Count.MicroBatch(t.main.Cursor()); ; number++ {
		m, ok, err := t.main.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return drawn, nil
		}
		drawn = append(drawn, m)
		if t.buffer != nil {
			if m, _, err = t.buffer.Next(); err != nil {
				return nil, err
			}
			m.Buffer = true
			drawn = append(drawn, m)
		}
		if t.Count.Ends(number) {
			return drawn, nil
		}
	}
}

// accumulate adds up the gradients of a step's micro-batches. The reports are read when all program calls are under
// way.
func (t *Trainer) accumulate(micro []step.MicroBatch) (tally, error) {
	sum := tally{objective: t.Options().Objective}
	pending := make([]step.PendingReports, len(micro))
	for i, m := range micro {
		var err error
		if pending[i], err = t.AccumulateMicroBatch(m, t.weight(m, micro)); err != nil {
			return sum, err
		}
	}
	for i, m := range micro {
		reports, err := pending[i].Read()
		if err != nil {
			return sum, err
		}
		sum.add(m, reports)
	}
	return sum, nil
}

// weight is the factor of each loss of a micro-batch: one over the step's pairs of its set, or over the step's target
// tokens for sft. So a step's loss is the mean over its main rows plus the mean over its buffer rows, however they are
// split into micro-batches.
//
// With meanOfMeans, as in the original code, the factor is one over the micro-batch's own pairs or tokens, divided by
// gradient_accumulation_steps even if the step has fewer micro-batches. Metrics reports the mean over the pairs all the
// same, which differs from the loss if the micro-batches differ in size.
func (t *Trainer) weight(m step.MicroBatch, micro []step.MicroBatch) float32 {
	total := 0.0
	for _, other := range micro {
		if other.Buffer == m.Buffer {
			total += float64(other.LossTerms())
		}
	}
	if t.meanOfMeans {
		total = float64(m.LossTerms() * t.Count.PerStep)
	}
	return float32(1 / total)
}

// Epochs returns how many passes over the main set are done.
func (t *Trainer) Epochs() float64 {
	c := t.main.Cursor()
	return float64(c.Epoch) + float64(c.Position)/float64(t.main.Rows())
}

// Rows counts the rows of the main set.
func (t *Trainer) Rows() int { return t.main.Rows() }

// SeekStart makes the first micro-batch of the main set the next one.
func (t *Trainer) SeekStart() error { return t.main.Seek(batch.Cursor{}) }

// SeekMicroBatch makes micro-batch i of the first pass over the main set the next one.
func (t *Trainer) SeekMicroBatch(i int) error {
	return t.main.Seek(batch.Cursor{Position: i * t.Count.MicroBatchRows})
}
