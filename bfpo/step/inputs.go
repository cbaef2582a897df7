package step

// The programs take groups of inputs by position. Each program has one type that names the positions; T is a group of
// tensors, of nodes or of shapes, so that building, compiling and running a program read the same order.

// gradsInputs are the inputs of the program grads. The accumulator is donated.
type gradsInputs[T any] struct {
	base, masters T
	accumulator   T // gradients of the calls since the last update
	batch         T
	accumulate    T // one boolean: whether the accumulator holds anything
}

// gradsDonated is the position of the accumulator.
const gradsDonated = 2

func (in gradsInputs[T]) list() []T {
	return []T{in.base, in.masters, in.accumulator, in.batch, in.accumulate}
}

func newGradsInputs[T any](in []T) gradsInputs[T] {
	return gradsInputs[T]{base: in[0], masters: in[1], accumulator: in[2], batch: in[3], accumulate: in[4]}
}

// measureInputs are the inputs of the programs measure and reference.
type measureInputs[T any] struct{ base, masters, batch T }

func (in measureInputs[T]) list() []T { return []T{in.base, in.masters, in.batch} }

func newMeasureInputs[T any](in []T) measureInputs[T] {
	return measureInputs[T]{base: in[0], masters: in[1], batch: in[2]}
}

// applyInputs are the inputs of the program apply. Masters and moments are donated; the accumulator is only read.
type applyInputs[T any] struct {
	masters, m, v, accumulator T
	rates                      T // three scalars: learning rate and the two bias corrections
}

func (in applyInputs[T]) list() []T { return []T{in.masters, in.m, in.v, in.accumulator, in.rates} }

func newApplyInputs[T any](in []T) applyInputs[T] {
	return applyInputs[T]{masters: in[0], m: in[1], v: in[2], accumulator: in[3], rates: in[4]}
}
