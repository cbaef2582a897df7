package train

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Trainer runs the optimizer steps of one stage: each step feeds its micro-batches, main and buffer in turn, and updates once.
type Trainer struct {
	*Stepper
	main     stream
	buffer   stream // nil without a buffer set
	steps    Steps
	schedule Schedule
	// seedFormat weighs micro-batches as the reference implementation does.
	seedFormat bool
	logRows    bool
}

// Steps runs the remaining steps and yields the metrics of each. It stops after an error, which is ctx's when that is done between two
// steps; a loss that is no number stops it before the weights are touched.
func (t *Trainer) Steps(ctx context.Context) iter.Seq2[track.Metrics, error] {
	return func(yield func(track.Metrics, error) bool) {
		for t.Step < t.steps.Total {
			if err := ctx.Err(); err != nil {
				yield(track.Metrics{}, err)
				return
			}
			m, err := t.step()
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// step is one optimizer step.
func (t *Trainer) step() (track.Metrics, error) {
	started := time.Now()
	micro, err := t.draw()
	if err != nil {
		return track.Metrics{}, err
	}
	tally := tally{objective: t.options.Objective}
	for _, m := range micro {
		reports, err := inRounds(m, t.mesh().Devices(), func(b Batches) ([]BatchReport, error) {
			return t.Accumulate(b, b.weights(t.weight(m, micro)))
		})
		if err != nil {
			return track.Metrics{}, fmt.Errorf("step %d: %w", t.Step+1, err)
		}
		tally.add(m, reports)
	}
	metrics := tally.metrics(t.logRows)
	metrics.Step = t.Step + 1
	metrics.Epoch = t.epochs()
	metrics.LearningRate = t.schedule.LearningRate(t.Step)
	if err := metrics.Check(); err != nil {
		return metrics, err
	}
	if metrics.GradNorm, err = t.Apply(metrics.LearningRate); err != nil {
		return metrics, fmt.Errorf("step %d: %w", t.Step, err)
	}
	metrics.Seconds = time.Since(started).Seconds()
	if err := metrics.Check(); err != nil {
		return metrics, err
	}
	if !t.logRows {
		metrics.Rows = nil
	}
	return metrics, nil
}

// draw takes the batches of the next step: those of the main set, each followed by one of the buffer.
func (t *Trainer) draw() ([]microBatch, error) {
	var drawn []microBatch
	for number := t.steps.Micro(t.main.Cursor()); ; number++ {
		m, ok, err := t.main.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return drawn, nil
		}
		drawn = append(drawn, m)
		if t.buffer != nil {
			if m, _, err = t.buffer.next(); err != nil {
				return nil, err
			}
			m.buffer = true
			drawn = append(drawn, m)
		}
		if t.steps.Ends(number) {
			return drawn, nil
		}
	}
}

// weight is the factor of one micro-batch's losses: one over the step's pairs of its set, or over the step's tokens where the loss
// is a token's. So a step is one mean however it is split. The reference implementation takes the mean of the micro-batches' means.
func (t *Trainer) weight(m microBatch, micro []microBatch) float32 {
	total := 0.0
	for _, other := range micro {
		if other.buffer == m.buffer {
			total += float64(other.lossTerms())
		}
	}
	if t.seedFormat {
		total = float64(m.lossTerms() * t.steps.Accumulate)
	}
	return float32(1 / total)
}

// weights gives each unit of each batch one weight.
func (all Batches) weights(weight float32) [][]float32 {
	weights := make([][]float32, len(all))
	for i, b := range all {
		weights[i] = slices.Repeat([]float32{weight}, len(b.IDs))
	}
	return weights
}

// lossTerms counts what a batch's loss is a mean over: pairs, or scored tokens.
func lossTerms(b batch.Batch) int {
	if b.ChosenSafe != nil {
		return len(b.IDs)
	}
	tokens := 0
	for _, n := range responseTokens(b) {
		tokens += n
	}
	return tokens
}

// responseTokens counts the scored tokens of each response.
func responseTokens(b batch.Batch) []int {
	counts := make([]int, b.Responses)
	for _, owner := range b.Owner {
		if owner >= 0 {
			counts[owner]++
		}
	}
	return counts
}

// epochs is how many passes over the main set are done.
func (t *Trainer) epochs() float64 {
	c := t.main.Cursor()
	return float64(c.Epoch) + float64(c.Position)/float64(t.main.rows())
}
