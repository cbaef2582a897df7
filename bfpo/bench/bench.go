// Package bench times the optimizer steps of training on a file of pairs in token ids, and reports speed, memory and
// losses as JSON (see Result). The program `bfpo bench` runs it, and README.md beside this file has measured tables.
//
// The steps are those of package train. No data set is read: a recipe's keys for data do not count.
package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// Bench times the optimizer steps of training on a file of pairs in token ids: the steps of train.Train, from the
// loader to the update.
//
// A file of exactly one batch is repeated; of a longer one each batch is taken once, in the order of the file. Before
// the clock starts the repeated batch runs twice, or one batch of each shape; then weights and optimizer go back to
// where they began, so the losses of the timed steps are the losses of a run from the model's files. If the reference
// is computed once, it is computed before the clock starts; reading it back from disk is timed.
type Bench struct {
	// Pairs is the path of a file of JSON lines: prompt_ids, chosen_ids, rejected_ids, is_chosen_safe, is_rejected_safe.
	Pairs string
	Batch int // pairs in a step
	Steps int // timed steps of a repeated batch (0: 7), or the first batches of a longer file (0: all)
}

// repeatedSteps is the number of timed steps of a file of one batch.
const repeatedSteps = 7

// Run measures with the model, the objective, the optimizer, the trained layers and the types of a recipe. The recipe's
// data, its buffer and the number of its steps do not count: a step is one batch of the file.
func (b Bench) Run(ctx context.Context, rt models.Runtime, c recipe.Config) (result Result, err error) {
	began := time.Now()
	if err := b.check(c); err != nil {
		return result, err
	}
	c.PerDeviceTrainBatchSize, c.GradientAccumulationSteps, c.Shuffle = b.Batch/c.Devices, 1, false
	in, m, err := b.read(ctx, rt, &c)
	if err != nil {
		return result, err
	}
	started := time.Now()
	stage, err := train.Load(rt, c, in)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if err := stage.PrecomputeReference(ctx); err != nil {
		return result, err
	}
	m.stage, m.began = stage, began
	if err := m.warmUp(ctx); err != nil {
		return result, fmt.Errorf("warm-up: %w", err)
	}
	m.result.Warmup = rounded(time.Since(started).Seconds())
	if err := stage.Reset(); err != nil {
		return result, err
	}
	if err := m.time(ctx); err != nil {
		return result, err
	}
	m.summarise(b)
	return m.result, nil
}

// check refuses settings that cannot be measured.
func (b Bench) check(c recipe.Config) error {
	switch {
	case c.Objective == "sft":
		return c.UsageErrorf("objective", "sft compares no pairs; bench times a preference objective")
	case c.PreferenceBy != bfpo.ByHelpfulness:
		return c.UsageErrorf("preference_by", "bench takes the pairs of its file as they are: leave it out")
	case b.Batch < 1:
		return usage.Errorf("-batch=%d: want 1 pair or more in a step", b.Batch)
	case b.Steps < 0:
		return usage.Errorf("-steps=%d: want 1 step or more, or 0 for 7 steps of a file of one batch and all batches "+
			"of a longer one", b.Steps)
	case b.Batch%c.Devices != 0:
		return usage.Errorf("-batch=%d: %d devices cannot take as many pairs each", b.Batch, c.Devices)
	}
	return nil
}

// read opens the model and the file of pairs, sets the number of steps and lays out the micro-batches of the timed
// steps.
func (b Bench) read(
	ctx context.Context,
	rt models.Runtime,
	c *recipe.Config,
) (in data.Inputs, m measurement, err error) {
	if in.Checkpoint, err = models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log()); err != nil {
		return in, m, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.Close())
		}
	}()
	pairs, err := readPairs(b.Pairs, in.Checkpoint.Config)
	if err != nil {
		return in, m, err
	}
	if len(pairs) < b.Batch {
		return in, m, fmt.Errorf("%s: %d pairs are less than one batch of %d", b.Pairs, len(pairs), b.Batch)
	}
	m.repeated = len(pairs) == b.Batch
	switch {
	case !m.repeated:
		if b.Steps > 0 {
			pairs = pairs[:min(len(pairs), b.Steps*b.Batch)]
		}
		c.MaxSteps = (len(pairs) + b.Batch - 1) / b.Batch
	case b.Steps > 0:
		c.MaxSteps = b.Steps
	default:
		c.MaxSteps = repeatedSteps
	}
	in.Sets.Main = data.Set{SetSummary: data.SetSummary{Name: "main", Rows: len(pairs)}, Pairs: pairs}
	in.OpenStreams(*c)
	loader := &batch.Loader[batch.Pair]{Rows: pairs, Size: b.Batch}
	for examples := range loader.Peek(in.Count.Total) {
		micro, err := step.LayOut(examples, in.Shapes, c.Devices)
		if err != nil {
			return in, m, err
		}
		m.micro = append(m.micro, micro)
	}
	return in, m, nil
}

// measurement is a measurement under way.
type measurement struct {
	stage    *train.Stage
	micro    []step.MicroBatch // of the timed steps
	repeated bool              // the file has one batch
	began    time.Time
	result   Result
}

// warmUp runs the repeated batch twice, or batches until every shape has been met.
func (m *measurement) warmUp(ctx context.Context) error {
	places := []int{0, 0}
	if !m.repeated {
		places = nil
		seen := map[batch.Shape]bool{}
		for i, micro := range m.micro {
			met := len(seen)
			for _, b := range micro.Batches {
				seen[b.Shape] = true
			}
			if len(seen) > met {
				places = append(places, i)
			}
		}
	}
	m.result.Ready = rounded(time.Since(m.began).Seconds())
	for n, i := range places {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.stage.Trainer.SeekMicroBatch(i); err != nil {
			return err
		}
		if _, err := m.stage.Trainer.RunStep(); err != nil {
			return err
		}
		if n == 0 {
			m.result.FirstStep = rounded(time.Since(m.began).Seconds())
		}
	}
	return nil
}

// time runs the timed steps.
func (m *measurement) time(ctx context.Context) error {
	device := m.stage.Device
	programs := len(device.CompiledPrograms())
	if m.stage.Config.PrecomputesReference() {
		started := time.Now()
		// From the file that the first call has left, as a later epoch or run does.
		if err := m.stage.PrecomputeReference(ctx); err != nil {
			return err
		}
		m.result.Reference = rounded(time.Since(started).Seconds())
	}
	for range m.micro {
		if err := ctx.Err(); err != nil {
			return err
		}
		started := time.Now()
		metrics, err := m.stage.Trainer.RunStep()
		if err != nil {
			return err
		}
		m.result.StepAll = append(m.result.StepAll, rounded(float64(time.Since(started).Nanoseconds())/1e6))
		if len(m.result.Losses) < RecordedLosses {
			m.result.Losses = append(m.result.Losses, metrics.Loss)
		}
	}
	m.result.Recompilations = len(device.CompiledPrograms()) - programs
	return nil
}

// countTokens counts the tokens of the timed micro-batches and returns the number of their pairs.
func (m *measurement) countTokens() (pairs int) {
	for _, micro := range m.micro {
		for _, b := range micro.Batches {
			pairs += len(b.IDs)
			m.result.RealTokens += b.RealTokens
			m.result.PaddedTokens += b.Rows * b.Length
			for _, segment := range b.Segments {
				if segment != 0 {
					m.result.ComputedTokens++
				}
			}
		}
	}
	return pairs
}

// summarise fills in what follows from the timed steps.
func (m *measurement) summarise(b Bench) {
	r, stage := &m.result, m.stage
	r.FirstLoss, r.TimedSteps, r.StepMedian = r.Losses[0], len(r.StepAll), rounded(median(r.StepAll))
	total := 1e3 * r.Reference // ms
	for _, ms := range r.StepAll {
		total += ms
	}
	if m.repeated {
		total = r.StepMedian * float64(r.TimedSteps)
	}
	count := m.countTokens()
	r.PairsPerSecond, r.TokensPerSecond = rounded(1e3*float64(count)/total), rounded(1e3*float64(r.RealTokens)/total)
	r.PeakRSS, r.Threads = peakResident()>>20, runtime.NumCPU()
	if memory, ok := stage.Device.Memory(0); ok {
		r.PeakDevice = memory.Peak >> 20
	}
	r.Versions = map[string]string{"bfpo": stage.Version, "go": runtime.Version(), "backend": stage.Device.Describe()}
	r.Precision = "f32"
	if stage.Config.ComputeDType(stage.Device.FastBF16()) == dtypes.BFloat16 {
		r.Precision = "bf16"
	}
	data := strings.TrimSuffix(filepath.Base(b.Pairs), filepath.Ext(b.Pairs))
	r.Name = fmt.Sprintf("bfpo-%s-%s", strings.TrimPrefix(data, "pairs_"), r.Precision)
	if r.Precomputed = stage.Config.PrecomputesReference(); r.Precomputed {
		r.Name += "-precomputed"
	}
	if r.Checkpointed = stage.Trainer.Options().Remat; r.Checkpointed {
		r.Name += "-checkpointed"
	}
	for _, s := range stage.Inputs.Shapes {
		r.Shapes = append(r.Shapes, Shape{s.Rows, s.Length, s.Targets, s.Responses})
	}
	for _, p := range stage.Device.CompiledPrograms() {
		r.Programs = append(r.Programs,
			Program{p.Name, p.Inputs, p.Outputs, p.Aliases, p.Temp, step.Peak(p), rounded(p.Seconds), p.Cached})
	}
}
