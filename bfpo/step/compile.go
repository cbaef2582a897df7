package step

import (
	"runtime"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
)

// Programs are the compiled programs of a step: of each kind the largest over the shapes of batches, but for
// References.
type Programs struct {
	Grads, Apply device.Compiled
	Measure      device.Compiled   // zero where nothing is measured
	References   []device.Compiled // of a Stepper with Precomputed, one per shape
}

// Compile compiles the programs for batches of these shapes, to train on and to measure, several at a time.
func (s *Stepper) Compile(train, measured []batch.Shape) (Programs, error) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	compileAll := func(of []batch.Shape, compile func(batch.Shape) (device.Compiled, error)) []device.Compiled {
		all := make([]device.Compiled, len(of))
		for i, shape := range of {
			group.Go(func() (err error) {
				all[i], err = compile(shape)
				return err
			})
		}
		return all
	}
	base, state := s.model.Base.Shapes(), s.Masters.Shapes()
	measureShapes := func(shape batch.Shape) [][]shapes.Shape {
		return measureInputs[[]shapes.Shape]{base, state, s.batchShapes(shape)}.list()
	}
	grads := compileAll(train, func(shape batch.Shape) (device.Compiled, error) {
		return s.grads.Compile(gradsInputs[[]shapes.Shape]{
			base: base, masters: state, accumulator: state, batch: s.batchShapes(shape),
			accumulate: []shapes.Shape{shapes.Make(dtypes.Bool)},
		}.list()...)
	})
	measures := compileAll(measured,
		func(shape batch.Shape) (device.Compiled, error) { return s.measure.Compile(measureShapes(shape)...) })
	var references []device.Compiled
	if s.graphs.options.Precomputed {
		references = compileAll(slices.Concat(train, measured), func(shape batch.Shape) (device.Compiled, error) {
			return s.reference.Compile(measureShapes(shape)...)
		})
	}
	var apply device.Compiled
	group.Go(func() (err error) {
		rate := shapes.Make(dtypes.Float32)
		apply, err = s.apply.Compile(applyInputs[[]shapes.Shape]{
			masters: state, m: state, v: state, accumulator: state, rates: []shapes.Shape{rate, rate, rate},
		}.list()...)
		return err
	})
	err := group.Wait()
	return Programs{largest(grads), apply, largest(measures), references}, err
}

func (s *Stepper) batchShapes(shape batch.Shape) []shapes.Shape {
	return batchShapes(shape, shape.Responses/s.graphs.responsesPerUnit(), s.graphs.options.Precomputed)
}

// Peak returns what a program takes on each device while it runs, in bytes.
func Peak(c device.Compiled) int64 { return c.Inputs + c.Outputs - c.Aliases + c.Temp }

func largest(programs []device.Compiled) (most device.Compiled) {
	for _, c := range programs {
		if Peak(c) >= Peak(most) {
			most = c
		}
	}
	return most
}
