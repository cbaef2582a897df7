package train

import (
	"context"
	"fmt"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

// evaluation measures the held-out rows with a stage's weights as they are, and the tasks and prompts of loop, which
// may be nil.
func evaluation(ctx context.Context, s *Stage, loop *inLoop) (track.Metrics, error) {
	started := time.Now()
	sum := tally{objective: s.Trainer.Options().Objective}
	for _, m := range s.Inputs.HeldOut {
		pending, err := s.Trainer.MeasureMicroBatch(m)
		if err != nil {
			return track.Metrics{}, fmt.Errorf("evaluation after step %d: %w", s.Trainer.Step, err)
		}
		reports, err := pending.Read()
		if err != nil {
			return track.Metrics{}, fmt.Errorf("evaluation after step %d: %w", s.Trainer.Step, err)
		}
		sum.add(m, reports)
	}
	metrics := sum.metrics(s.Config.LogRows)
	metrics.Evaluation = true
	if !s.Config.LogRows {
		metrics.Rows = nil
	}
	metrics.Step, metrics.Epoch, metrics.Seconds = s.Trainer.Step, s.Trainer.Epochs(), time.Since(started).Seconds()
	if loop != nil {
		started := time.Now()
		var err error
		if metrics.Tasks, err = loop.measure(ctx, s); err != nil {
			return metrics, err
		}
		metrics.TaskSeconds = time.Since(started).Seconds()
	}
	return metrics, metrics.CheckFinite()
}
