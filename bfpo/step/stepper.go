package step

import (
	"errors"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// Stepper runs optimizer steps on one model: gradients of as many batches as the caller accumulates, then one update.
//
// There are two programs for that, so that accumulation takes no third copy of the gradients: grads adds into the
// accumulator in place, or starts it anew, and apply reads it.
type Stepper struct {
	State
	model       *mistral.Model
	graphs      graphs
	accumulator *device.TensorSet // gradients of the batches since the last update
	accumulated bool              // whether the accumulator holds anything

	grads, apply, measure, reference *device.Program
}

// NewStepper prepares the programs for training over the frozen base of a model. Nothing is compiled before the first
// batch, or Compile. With a planned model and state, which have shapes and no values, the programs can be compiled, and
// run after Load.
func NewStepper(d *device.Device, model *mistral.Model, state State, o Options) (*Stepper, error) {
	g := graphs{config: model.Config, base: model.Base, masters: state.Masters, options: o}
	s := &Stepper{graphs: g}
	if err := s.Load(d, model, state); err != nil {
		return nil, err
	}
	mesh := model.Base.Mesh
	s.grads = device.NewProgram(d, "grads", g.grads, gradsDonated).OnMesh(mesh)
	s.apply = device.NewProgram(d, "apply", g.apply, 0, 1, 2).OnMesh(mesh)
	s.measure = device.NewProgram(d, "measure", g.measure).OnMesh(mesh)
	s.reference = device.NewProgram(d, "reference", g.reference).OnMesh(mesh)
	return s, nil
}

// Load gives a Stepper that was made for a planned model the model and state it was planned for.
func (s *Stepper) Load(d *device.Device, model *mistral.Model, state State) (err error) {
	s.model, s.State = model, state
	s.accumulated = false
	s.accumulator, err = zerosLike(d, state.Masters)
	return err
}

// Options returns the hyperparameters that the programs are compiled with.
func (s *Stepper) Options() Options { return s.graphs.options }

// Mesh returns the devices that the model lies on; nil is one device.
func (s *Stepper) Mesh() *device.Mesh { return s.model.Base.Mesh }

// Close frees the programs and the accumulator; the state and the model belong to the caller.
func (s *Stepper) Close() {
	s.grads.Close()
	s.apply.Close()
	s.measure.Close()
	s.reference.Close()
	s.accumulator.Finalize()
}

// Accumulate adds the gradient of one batch per device, each unit's loss times its weight, to the accumulator.
func (s *Stepper) Accumulate(batches []batch.Batch, weights [][]float32) (Pending, error) {
	out, err := s.grads.Run(gradsInputs[device.Group]{
		base: s.model.Base.Group(), masters: s.Masters.Group(), accumulator: s.accumulator.Group(),
		batch: inputsOf(batches, weights), accumulate: s.scalars(s.accumulated),
	}.list()...)
	if err != nil {
		return Pending{}, err
	}
	s.accumulator.Replace(out[0])
	s.accumulated = true
	return Pending{out[1]}, nil
}

// Measure computes the losses of one batch per device and changes nothing.
func (s *Stepper) Measure(batches []batch.Batch) (Pending, error) {
	out, err := s.measure.Run(s.measureInputs(batches)...)
	if err != nil {
		return Pending{}, err
	}
	return Pending{out[0]}, nil
}

// Reference computes log pi_ref of each target of one batch per device, in nats: what the batches of a Stepper with
// Precomputed carry.
func (s *Stepper) Reference(batches []batch.Batch) ([][]float32, error) {
	out, err := s.reference.Run(s.measureInputs(batches)...)
	if err != nil {
		return nil, err
	}
	values := make([][]float32, len(batches))
	for i, output := range out[0] {
		if values[i], err = tensors.CopyFlatData[float32](output[0]); err != nil {
			return nil, err
		}
		output[0].MustFinalizeAll()
	}
	return values, nil
}

func (s *Stepper) measureInputs(batches []batch.Batch) []device.Group {
	return measureInputs[device.Group]{s.model.Base.Group(), s.Masters.Group(), inputsOf(batches, nil)}.list()
}

// Apply updates the masters by the accumulated gradient at a learning rate and returns the gradient's global norm
// before clipping. The state is consumed and replaced: after an error it is gone, and training continues from the last
// checkpoint.
func (s *Stepper) Apply(learningRate float64) (gradNorm float64, err error) {
	if !s.accumulated {
		return 0, errors.New("an update without a gradient: no batch was accumulated since the last one")
	}
	s.Step++
	o := s.graphs.options.Optimizer
	correction1, correction2 := 1-math.Pow(o.Beta1, float64(s.Step)), 1-math.Pow(o.Beta2, float64(s.Step))
	out, err := s.apply.Run(applyInputs[device.Group]{
		masters: s.Masters.Group(), m: s.M.Group(), v: s.V.Group(), accumulator: s.accumulator.Group(),
		rates: s.scalars(float32(learningRate), float32(correction1), float32(correction2)),
	}.list()...)
	if err != nil {
		return 0, err
	}
	for i, set := range []*device.TensorSet{s.Masters, s.M, s.V} {
		set.Replace(out[i])
	}
	s.accumulated = false
	return float64(tensors.ToScalar[float32](out[3][0][0])), nil // the norm is the same on every device
}

// scalars makes inputs of numbers, the same for each device.
func (s *Stepper) scalars(values ...any) (inputs device.Group) {
	for range s.Mesh().Devices() {
		var scalars []*tensors.Tensor
		for _, value := range values {
			scalars = append(scalars, tensors.MustFromAnyValue(value))
		}
		inputs = append(inputs, scalars)
	}
	return inputs
}
