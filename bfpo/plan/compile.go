package plan

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/report"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Step is a training step compiled for a device, without weights: its Stepper is ready to run after Load.
type Step struct {
	Stepper  *step.Stepper
	Programs step.Programs
	Memory   report.Memory // what the step takes on each device, and what there is
	Names    []string      // tensors that are trained

	network config.Config
	recipe  recipe.Config
	device  *device.Device
}

// Trainable returns the names of the tensors that a recipe trains. A selected layer that is not there is a
// *usage.Error.
func Trainable(c recipe.Config, network config.Config) ([]string, error) {
	var patterns []string
	if c.UseSelective {
		patterns = c.SelectedLayers
	}
	names, err := mistral.Trainable(network, patterns)
	if err != nil {
		return nil, c.UsageErrorf("selected_layers", "%v", err)
	}
	return names, nil
}

// Compile compiles the programs of a recipe's step on a network for batches of these shapes, to train on and to
// measure, so that what the step takes is known before anything is loaded and no later step stops to compile. With
// gradient_checkpointing: auto, layers are recomputed only where the step would not fit otherwise; log gets one line
// about that. Close the Stepper after use.
func Compile(d *device.Device, c recipe.Config, network config.Config, train, measured []batch.Shape,
	log *slog.Logger) (Step, error) {
	names, err := Trainable(c, network)
	if err == nil {
		err = checkShapes(c, network, slices.Concat(train, measured))
	}
	if err != nil {
		return Step{}, err
	}
	s := Step{Names: names, network: network, recipe: c, device: d}
	mesh, dtype := c.TrainingMesh(), c.ComputeDType(d.FastBF16())
	model := mistral.PlanModel(network, mesh, dtype)
	available := availableMemory(d, mesh.Devices())
	options := step.Options{
		Objective:   c.TrainingObjective(),
		Optimizer:   graph.AdamW{Beta1: c.AdamBeta1, Beta2: c.AdamBeta2, Epsilon: c.AdamEpsilon, WeightDecay: c.WeightDecay},
		MaxGradNorm: c.MaxGradNorm,
		DType:       dtype,
		Remat:       c.GradientCheckpointing == recipe.On,
		Precomputed: c.PrecomputesReference(),
	}
	for {
		if s.Stepper, err = step.NewStepper(d, model, step.PlannedState(model, names), options); err != nil {
			return Step{}, err
		}
		if s.Programs, err = s.Stepper.Compile(train, measured); err != nil {
			s.Stepper.Close()
			return Step{}, err
		}
		s.Memory = stepMemory(d, s.Stepper, s.Programs, available)
		if c.GradientCheckpointing != recipe.Auto || options.Remat || available == 0 || s.Memory.Peak < available {
			return s, nil
		}
		log.Info(fmt.Sprintf("a step would take %s of %s: recomputing layers in the backward pass",
			track.FormatBytes(s.Memory.Peak), track.FormatBytes(available)))
		options.Remat = true
		s.Stepper.Close()
	}
}
