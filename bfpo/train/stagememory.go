package train

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// prepare compiles the programs of a step and puts the model on the device, both at once. A stage that would not fit on a GPU is refused before
// its weights are loaded.
func (t *training) prepare(context.Context) error {
	names, err := t.trainable(t.model.Config)
	if err != nil {
		return err
	}
	checkpoint := t.model.Checkpoint
	if err := checkpoint.CheckTensors(); err != nil { // now, not after minutes of compiling
		return err
	}
	state := t.plan(t.model.Config, names)
	var loading errgroup.Group
	var model *mistral.Model
	var trained Trained
	load := func() (err error) {
		if model, err = mistral.LoadOn(t.Device, t.mesh, checkpoint, t.config.ComputeType()); err == nil {
			trained, err = newTrained(t.Device, model, names)
		}
		return err
	}
	gpu := t.Device.Platform() == device.PlatformCUDA
	if !gpu {
		loading.Go(load)
	}
	if err = t.compile(state); err == nil && gpu {
		if err = t.refusal(); err == nil {
			err = load()
		}
	}
	err = errors.Join(err, loading.Wait())
	if model != nil {
		t.model = model
	}
	if err != nil {
		return errors.Join(err, trained.free())
	}
	return t.trainer.Stepper.Load(t.Device, model, trained)
}

// compile builds the programs for all shapes of the run, so that what it takes is known before step 1 and no later step stops to
// compile. With gradient_checkpointing: auto, layers are recomputed only where the plain program would not fit.
func (t *training) compile(trained Trained) error {
	c := t.config
	options := StepOptions{
		Objective:    bfpo.Objective{Name: c.Objective, Beta: c.Beta, B1: c.B1, Alpha: c.Alpha},
		Optimizer:    graph.AdamW{Beta1: c.AdamBeta1, Beta2: c.AdamBeta2, Epsilon: c.AdamEpsilon, WeightDecay: c.WeightDecay},
		MaxGradNorm:  c.MaxGradNorm,
		DType:        c.ComputeType(),
		Checkpointed: c.GradientCheckpointing == recipe.On,
		Precomputed:  t.precomputes(),
	}
	for {
		stepper, err := NewStepper(t.Device, t.model, trained, options)
		if err != nil {
			return err
		}
		t.trainer.Stepper = stepper
		sizes, err := stepper.Compile(t.shapes, shapesOf(t.held))
		if err != nil {
			return err
		}
		t.references = sizes.Reference
		t.memory, t.programs = stepMemory(t.Device, stepper, sizes, t.memory.Available), []device.Compiled{sizes.Grads, sizes.Apply}
		if c.GradientCheckpointing != recipe.Auto || options.Checkpointed || t.memory.Available == 0 || t.memory.Peak < t.memory.Available {
			return nil
		}
		t.Notice("a step would take %s of %s: recomputing layers in the backward pass", track.FormatBytes(t.memory.Peak), track.FormatBytes(t.memory.Available))
		options.Checkpointed = true
		stepper.Close()
	}
}

// shapesOf are the distinct shapes of batches.
func shapesOf(batches []microBatch) (shapes []batch.Shape) {
	for _, b := range batches {
		for _, part := range b.parts {
			if !slices.Contains(shapes, part.Shape) {
				shapes = append(shapes, part.Shape)
			}
		}
	}
	return shapes
}

// stepMemory is what the programs of a step take on each device, each with what the others hold resident:
//
//	peak = max(grads + moments, apply + base, measure + gradients + moments)
//
// The Go backend plans no memory: there the peak is what is resident, without activations.
func stepMemory(d *device.Device, s *Stepper, sizes Sizes, available int64) report.Memory {
	base, masters, moments := s.model.Base.Bytes(), s.Masters.Bytes(), s.M.Bytes()+s.V.Bytes()
	m := report.Memory{
		Parts: []report.MemoryPart{
			{Name: "frozen base", Bytes: base}, {Name: "f32 masters", Bytes: masters}, {Name: "moments", Bytes: moments}, {Name: "gradients", Bytes: s.sum.Bytes()},
		},
		Devices:   s.mesh().Devices(),
		Available: available,
	}
	if d.Platform() == device.PlatformGo {
		m.Peak = base + masters + moments + s.sum.Bytes()
		return m
	}
	m.Parts = append(m.Parts, report.MemoryPart{Name: "activations", Bytes: sizes.Grads.Temp})
	m.Peak = max(peak(sizes.Grads)+moments, peak(sizes.Apply)+base)
	if sizes.Measure.Inputs > 0 {
		m.Peak = max(m.Peak, peak(sizes.Measure)+s.sum.Bytes()+moments)
	}
	return m
}

// availableMemory is what the fullest of so many devices has free, in bytes, or 0 where that is not known. CPU devices share the machine's.
func availableMemory(d *device.Device, devices int) int64 {
	if m, ok := d.Memory(0); ok && m.Limit > 0 {
		free := m.Limit - m.Used
		for i := 1; i < devices; i++ {
			if m, ok := d.Memory(i); ok {
				free = min(free, m.Limit-m.Used)
			}
		}
		return free
	}
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			var kilobytes int64
			if _, err := fmt.Sscan(rest, &kilobytes); err == nil {
				return kilobytes << 10 / int64(devices)
			}
		}
	}
	return 0
}
