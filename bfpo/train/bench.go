package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral"
)

// Bench times the optimizer steps of training on a file of pairs in token ids: those of Train, from the loader to the update.
//
// A file of exactly one batch is repeated; of a longer one each batch is taken once, in the order of the file. Before the clock starts the
// repeated batch runs twice, or one batch of each shape; then weights and optimizer go back to where they began, so the losses of the
// timed steps are those of a run from the checkpoint. Where the reference is computed once, that is before the clock too; reading what it
// has left on disk belongs to the time of a pass.
type Bench struct {
	Pairs string // path of the file: JSON lines of prompt_ids, chosen_ids, rejected_ids, is_chosen_safe and is_rejected_safe
	Batch int    // pairs in a step
	Steps int    // timed steps of a repeated batch (0: 7), or the first batches of a longer file (0: all)
}

// repeatedSteps are the timed steps of a file of one batch.
const repeatedSteps = 7

// Run measures with the model, the objective, the optimizer, the trained layers and the types of a configuration. Its data, its buffer and
// the number of its steps do not count: a step is one batch of the file.
func (b Bench) Run(ctx context.Context, rt models.Runtime, c recipe.Config) (result BenchResult, err error) {
	began := time.Now()
	if c.Objective == "sft" {
		return result, c.KeyErrorf("objective", "sft compares no pairs; bench times a preference objective")
	}
	if b.Batch < 1 {
		return result, usage.Errorf("-batch=%d: want 1 pair or more in a step", b.Batch)
	}
	if b.Steps < 0 {
		return result, usage.Errorf("-steps=%d: want 1 step or more, or 0 for 7 steps of a file of one batch and all batches of a longer one", b.Steps)
	}
	if b.Batch%c.Devices != 0 {
		return result, usage.Errorf("-batch=%d: %d devices cannot take as many pairs each", b.Batch, c.Devices)
	}
	c.PerDeviceTrainBatchSize, c.GradientAccumulationSteps, c.Shuffle = b.Batch/c.Devices, 1, false
	t := &bench{training: training{Runtime: rt, config: c, name: "bench", trainer: &Trainer{}}, began: began}
	defer func() { err = errors.Join(err, t.close()) }()
	if err := t.read(ctx, b); err != nil {
		return result, err
	}
	started := time.Now()
	if err := t.prepare(ctx); err != nil {
		return result, err
	}
	if err := t.precompute(ctx); err != nil {
		return result, err
	}
	if err := t.warmUp(ctx); err != nil {
		return result, fmt.Errorf("warm-up: %w", err)
	}
	t.result.Warmup = rounded(time.Since(started).Seconds())
	if err := t.restart(); err != nil {
		return result, err
	}
	if err := t.time(ctx); err != nil {
		return result, err
	}
	t.summarise(b)
	return t.result, nil
}

// bench is a measurement under way.
type bench struct {
	training
	began    time.Time
	repeated bool
	batches  [][]batch.Batch // of the timed steps, in parts
	result   BenchResult
}

// read opens the model and the file of pairs, and lays out the batches.
func (t *bench) read(ctx context.Context, b Bench) error {
	checkpoint, err := models.Open(ctx, t.config.Model, t.Hub, t.Cache, t.Notice)
	if err != nil {
		return err
	}
	t.model = &mistral.Model{Config: checkpoint.Config, Checkpoint: checkpoint}
	pairs, err := readBenchPairs(b.Pairs, t.model.Config)
	if err != nil {
		return err
	}
	if len(pairs) < b.Batch {
		return fmt.Errorf("%s: %d pairs are less than one batch of %d", b.Pairs, len(pairs), b.Batch)
	}
	t.repeated = len(pairs) == b.Batch
	switch {
	case !t.repeated:
		if b.Steps > 0 {
			pairs = pairs[:min(len(pairs), b.Steps*b.Batch)]
		}
		t.config.MaxSteps = (len(pairs) + b.Batch - 1) / b.Batch
	case b.Steps > 0:
		t.config.MaxSteps = b.Steps
	default:
		t.config.MaxSteps = repeatedSteps
	}
	t.pairs.main = pairs
	t.trainer.steps = newSteps(t.config, len(pairs))
	t.trainer.schedule = newSchedule(t.config, t.trainer.steps.Total)
	loader := newLoader(t.config, pairs)
	t.trainer.main = layOut(&t.training, loader)[0]
	for examples := range loader.Ahead(t.trainer.steps.Total) {
		m, err := lay(examples, t.shapes, t.config.Devices)
		if err != nil {
			return err
		}
		t.batches = append(t.batches, m.parts)
	}
	return nil
}

// warmUp runs the repeated batch twice, or batches until every shape has been met.
func (t *bench) warmUp(ctx context.Context) error {
	places := []int{0, 0}
	if !t.repeated {
		places = nil
		seen := map[batch.Shape]bool{}
		for i, parts := range t.batches {
			met := len(seen)
			for _, part := range parts {
				seen[part.Shape] = true
			}
			if len(seen) > met {
				places = append(places, i)
			}
		}
	}
	t.result.Ready = rounded(time.Since(t.began).Seconds())
	for n, i := range places {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.trainer.main.Seek(batch.Cursor{Position: i * t.trainer.steps.Batch}); err != nil {
			return err
		}
		if _, err := t.trainer.step(); err != nil {
			return err
		}
		if n == 0 {
			t.result.FirstStep = rounded(time.Since(t.began).Seconds())
		}
	}
	return nil
}

// restart goes back to the weights of the checkpoint, an optimizer without memory and the first batch.
func (t *bench) restart() error {
	names := slices.Clone(t.trainer.Masters.Names)
	for _, set := range t.trainer.sets() {
		if err := (*set.at).Finalize(); err != nil {
			return err
		}
	}
	trained, err := newTrained(t.Device, t.model, names)
	if err != nil {
		return err
	}
	t.trainer.Trained = trained
	return t.trainer.main.Seek(batch.Cursor{})
}

// time runs the timed steps.
func (t *bench) time(ctx context.Context) error {
	programs := len(t.Device.Compiled())
	if t.precomputes() {
		started := time.Now()
		if err := t.precompute(ctx); err != nil { // from the file that the first call has left, as a later epoch or run does
			return err
		}
		t.result.Reference = rounded(time.Since(started).Seconds())
	}
	for range t.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		started := time.Now()
		m, err := t.trainer.step()
		if err != nil {
			return err
		}
		t.result.StepAll = append(t.result.StepAll, rounded(float64(time.Since(started).Nanoseconds())/1e6))
		if len(t.result.Losses) < comparedSteps {
			t.result.Losses = append(t.result.Losses, m.Loss)
		}
	}
	t.result.Recompilations = len(t.Device.Compiled()) - programs
	return nil
}

// summarise fills in what follows from the timed steps.
func (t *bench) summarise(b Bench) {
	r := &t.result
	r.FirstLoss, r.TimedSteps, r.StepMedian = r.Losses[0], len(r.StepAll), rounded(median(r.StepAll))
	total := 1e3 * r.Reference // ms
	for _, ms := range r.StepAll {
		total += ms
	}
	if t.repeated {
		total = r.StepMedian * float64(r.TimedSteps)
	}
	count := 0
	for _, batch := range slices.Concat(t.batches...) {
		count += len(batch.IDs)
		r.RealTokens += batch.RealTokens
		r.PaddedTokens += batch.Rows * batch.Length
		for _, segment := range batch.Segments {
			if segment != 0 {
				r.ComputedTokens++
			}
		}
	}
	r.PairsPerSecond, r.TokensPerSecond = rounded(1e3*float64(count)/total), rounded(1e3*float64(r.RealTokens)/total)
	r.PeakRSS, r.Threads = peakResident()>>20, runtime.NumCPU()
	if m, ok := t.Device.Memory(0); ok {
		r.PeakDevice = m.Peak >> 20
	}
	r.Versions = map[string]string{"bfpo": t.Version, "go": runtime.Version(), "backend": t.Device.Describe()}
	r.Precision = "f32"
	if t.config.ComputeType() == dtypes.BFloat16 {
		r.Precision = "bf16"
	}
	data := strings.TrimSuffix(filepath.Base(b.Pairs), filepath.Ext(b.Pairs))
	r.Name = fmt.Sprintf("bfpo-%s-%s", strings.TrimPrefix(data, "pairs_"), r.Precision)
	if r.Precomputed = t.precomputes(); r.Precomputed {
		r.Name += "-precomputed"
	}
	if r.Checkpointed = t.trainer.options.Checkpointed; r.Checkpointed {
		r.Name += "-checkpointed"
	}
	for _, s := range t.shapes {
		r.Shapes = append(r.Shapes, BenchShape{s.Rows, s.Length, s.Targets, s.Responses})
	}
	for _, p := range t.Device.Compiled() {
		r.Programs = append(r.Programs, BenchProgram{p.Name, p.Inputs, p.Outputs, p.Aliases, p.Temp, peak(p), rounded(p.Seconds), p.Cached})
	}
}
