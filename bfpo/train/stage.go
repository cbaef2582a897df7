package train

import (
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/plan"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// Stage is a training stage ready for its first step: its data is laid out, its programs are compiled and its weights
// are on the device.
type Stage struct {
	models.Runtime
	Config  recipe.Config
	Inputs  data.Inputs
	Plan    plan.Step
	Model   *mistral.Model
	Trainer *Trainer

	made *checkpoint.Identity // of the run, for its checkpoints
}

// Load compiles the programs of a stage and puts the model on the device: at the same time, except on a GPU, where a
// stage that would not fit is refused before its weights are loaded. The stage owns the inputs from here on; Close it
// after use.
func Load(rt models.Runtime, c recipe.Config, in data.Inputs) (*Stage, error) {
	s := &Stage{Runtime: rt, Config: c, Inputs: in}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Stage) load() (err error) {
	model := s.Inputs.Checkpoint
	names, err := plan.Trainable(s.Config, model.Config)
	if err != nil {
		return err
	}
	if err := errors.Join(model.CheckTensors(), model.CheckExport()); err != nil { // now, not after minutes of compiling
		return err
	}
	var state step.State
	loadWeights := func() (err error) {
		mesh, dtype := s.Config.TrainingMesh(), s.Config.ComputeDType(s.Device.FastBF16())
		if s.Model, err = mistral.LoadOnMesh(s.Device, mesh, model, dtype); err == nil {
			state, err = step.NewState(s.Device, s.Model, names)
		}
		return err
	}
	gpu := s.Device.Platform() == device.PlatformCUDA
	var loading errgroup.Group
	if !gpu {
		loading.Go(loadWeights)
	}
	loading.Go(func() error { // while the programs compile
		_, err := model.TensorDigests()
		return err
	})
	compiled, err := plan.Compile(s.Device, s.Config, model.Config, s.Inputs.Shapes, step.ShapesOf(s.Inputs.HeldOut),
		s.Log())
	if err == nil && gpu {
		if err = compiled.Refusal(); err == nil {
			err = loadWeights()
		}
	}
	err = errors.Join(err, loading.Wait())
	if compiled.Stepper != nil {
		s.Plan, s.Trainer = compiled, NewTrainer(s.Config, compiled.Stepper, s.Inputs)
	}
	if err != nil {
		return errors.Join(err, state.Free())
	}
	return s.Trainer.Load(s.Device, s.Model, state)
}

// Reset goes back to the weights of the model's files, an optimizer without memory and the first micro-batch.
func (s *Stage) Reset() error {
	names := slices.Clone(s.Trainer.Masters.Names)
	if err := s.Trainer.Free(); err != nil {
		return err
	}
	state, err := step.NewState(s.Device, s.Model, names)
	if err != nil {
		return err
	}
	s.Trainer.State = state
	return s.Trainer.SeekStart()
}

// Close frees the model and the programs, and closes the model's files.
func (s *Stage) Close() error {
	var errs []error
	if s.Trainer != nil {
		s.Trainer.Close()
		errs = append(errs, s.Trainer.Free())
	}
	if s.Model != nil {
		errs = append(errs, s.Model.Close())
	}
	return errors.Join(append(errs, s.Inputs.Close())...)
}
