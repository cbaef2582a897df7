package train

import (
	"errors"
	"math"
	"runtime"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// Trained is everything that an optimizer step changes.
type Trained struct {
	Masters *device.Tensors // f32 values of the trained weights, the overlay of the policy
	M, V    *device.Tensors // AdamW's moments, f32
	Step    int             // optimizer steps done
}

// StepOptions are the hyper-parameters compiled into a step's programs.
type StepOptions struct {
	Objective    bfpo.Objective
	Optimizer    graph.AdamW
	MaxGradNorm  float64      // 0 = no clipping
	DType        dtypes.DType // of activations and matrix products
	Checkpointed bool         // recompute each layer in the backward pass
	Precomputed  bool         // batches carry the reference's log-probabilities; else the step computes them
}

// headChunk is how many targets' logits over the vocabulary are alive at a time.
const headChunk = 256

// Stepper runs optimizer steps on one model: gradients of as many micro-batches as the caller feeds, then one update.
//
// Two programs, so that accumulation costs no third copy: grads adds into the accumulator in place, or begins it anew, and apply reads it. On a mesh,
// grads adds up what the devices found only where they share a tensor; what else each of them has accumulated is added up once, by apply.
type Stepper struct {
	Trained
	model   *mistral.Model
	options StepOptions
	sum     *device.Tensors // gradient of the micro-batches fed since the last update
	added   bool            // there were some; else sum is of no account

	grads, apply, measure, reference *device.Program
}

// NewStepper prepares the programs for training over the frozen base of model. Nothing is compiled until the first batch. With planned tensors the
// programs can be compiled, and run after Load.
func NewStepper(d *device.Device, model *mistral.Model, trained Trained, o StepOptions) (*Stepper, error) {
	s := &Stepper{options: o}
	if err := s.Load(d, model, trained); err != nil {
		return nil, err
	}
	s.grads = device.NewProgram(d, "grads", s.gradsGraph, 2).On(s.mesh())
	s.apply = device.NewProgram(d, "apply", s.applyGraph, 0, 1, 2).On(s.mesh())
	s.measure = device.NewProgram(d, "measure", s.measureGraph).On(s.mesh())
	s.reference = device.NewProgram(d, "reference", s.referenceGraph).On(s.mesh())
	return s, nil
}

// Load gives a Stepper that was made of planned tensors those that they were planned for.
func (s *Stepper) Load(d *device.Device, model *mistral.Model, trained Trained) (err error) {
	s.model, s.Trained = model, trained
	s.added = false
	s.sum, err = zerosLike(d, trained.Masters)
	return err
}

// mesh is what the model lies on.
func (s *Stepper) mesh() *device.Mesh { return s.model.Base.Mesh }

// Close frees the programs and the accumulator; the state belongs to the caller.
func (s *Stepper) Close() {
	s.grads.Close()
	s.apply.Close()
	s.measure.Close()
	s.reference.Close()
	s.sum.Finalize()
}

// Sizes are those of a step's programs, of each the largest over the shapes of batches. Measure is zero where nothing is held out.
type Sizes struct {
	Grads, Apply, Measure device.Compiled
	Reference             []device.Compiled // of a precomputing Stepper, one for each shape
}

// Compile compiles the programs for batches of these shapes, to train on and to measure, several at a time.
func (s *Stepper) Compile(train, held []batch.Shape) (Sizes, error) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	grads, measures := make([]device.Compiled, len(train)), make([]device.Compiled, len(held))
	base, state := s.model.Base.Shapes(), s.Masters.Shapes()
	for i, shape := range train {
		group.Go(func() (err error) {
			grads[i], err = s.grads.Compile(base, state, state, s.feedShapes(shape), []shapes.Shape{shapes.Make(dtypes.Bool)})
			return err
		})
	}
	for i, shape := range held {
		group.Go(func() (err error) {
			measures[i], err = s.measure.Compile(base, state, s.feedShapes(shape))
			return err
		})
	}
	var references []device.Compiled
	if s.options.Precomputed {
		references = make([]device.Compiled, len(train)+len(held))
	}
	for i := range references {
		group.Go(func() (err error) {
			references[i], err = s.reference.Compile(base, state, s.feedShapes(slices.Concat(train, held)[i]))
			return err
		})
	}
	var apply device.Compiled
	group.Go(func() (err error) {
		rate := shapes.Make(dtypes.Float32)
		apply, err = s.apply.Compile(state, state, state, state, []shapes.Shape{rate, rate, rate})
		return err
	})
	err := group.Wait()
	return Sizes{largest(grads), apply, largest(measures), references}, err
}

func (s *Stepper) feedShapes(shape batch.Shape) []shapes.Shape {
	return feedShapes(shape, shape.Responses/s.perUnit(), s.options.Precomputed)
}

// peak is what a program takes on the device while it runs, in bytes.
func peak(c device.Compiled) int64 { return c.Inputs + c.Outputs - c.Aliases + c.Temp }

func largest(programs []device.Compiled) (most device.Compiled) {
	for _, c := range programs {
		if peak(c) >= peak(most) {
			most = c
		}
	}
	return most
}

// perUnit is how many responses a loss is of: two, or one.
func (s *Stepper) perUnit() int {
	if s.options.Objective.Preference() {
		return 2
	}
	return 1
}

// view is the policy: the base seen through the masters.
func (s *Stepper) view(base, masters []*Node) graph.Weights {
	return graph.NewWeights(s.model.Base.Names, base).On(s.model.Base, s.Masters).Overlay(s.Masters.Names, masters).WithDType(s.options.DType)
}

// gradsGraph adds the gradient of sum_i weight_i * loss_i to the accumulator if there is something in it, and else begins with it.
func (s *Stepper) gradsGraph(in [][]*Node) [][]*Node {
	base, masters, sum, batch, more := in[0], in[1], in[2], newBatchNodes(in[3], s.perUnit()), in[4][0]
	loss, report := s.losses(s.view(base, masters), batch, true)
	total := ReduceAllSum(Mul(loss, batch.weight))
	added := make([]*Node, len(sum))
	for i, gradient := range Gradient(total, masters...) {
		before := Where(BroadcastToShape(more, sum[i].Shape()), sum[i], ZerosLike(sum[i]))
		added[i] = Add(before, ConvertDType(gradient, dtypes.Float32))
	}
	return [][]*Node{added, report}
}

// measureGraph is the forward pass alone, for evaluation.
func (s *Stepper) measureGraph(in [][]*Node) [][]*Node {
	_, report := s.losses(s.view(in[0], in[1]), newBatchNodes(in[2], s.perUnit()), false)
	return [][]*Node{report}
}

// referenceGraph is the forward pass of the reference as the other programs have it.
func (s *Stepper) referenceGraph(in [][]*Node) [][]*Node {
	return [][]*Node{{s.referenceTokens(s.view(in[0], in[1]), newBatchNodes(in[2], s.perUnit()))}}
}

// referenceTokens gives log pi_ref of each target. policy tells which weights are trained.
func (s *Stepper) referenceTokens(policy graph.Weights, b batchNodes) *Node { // [N]
	trainedHead := policy.Trained(mistral.HeadName(s.model.Config)) // as of the policy, so that equal weights round alike
	logProb, _ := s.tokens(policy.Base(), b, graph.HeadGradient{Head: trainedHead}, false)
	return StopGradient(logProb)
}

// applyGraph is one AdamW update by the accumulated gradient, clipped to a global norm.
func (s *Stepper) applyGraph(in [][]*Node) [][]*Node {
	masters, m, v, sum, scalars := in[0], in[1], in[2], graph.AllReduceSum(s.mesh(), in[3], s.sum), in[4]
	rates := graph.Rates{LearningRate: scalars[0], Correction1: scalars[1], Correction2: scalars[2]}
	norm := graph.GlobalNormOver(sum, s.sum)
	for i, gradient := range sum {
		if s.options.MaxGradNorm > 0 {
			gradient = Mul(gradient, graph.ClipScale(norm, s.options.MaxGradNorm))
		}
		masters[i], m[i], v[i] = s.options.Optimizer.Update(masters[i], m[i], v[i], gradient, rates)
	}
	return [][]*Node{masters, m, v, {norm}}
}

// losses runs policy and, for a preference objective, reference over a batch: loss [units] and what is reported of it. gradient says whether the
// gradient of the loss will be asked for.
func (s *Stepper) losses(policy graph.Weights, b batchNodes, gradient bool) (loss *Node, report []*Node) {
	asked := graph.HeadGradient{Hidden: gradient, Head: policy.Trained(mistral.HeadName(s.model.Config))}
	logProb, logits := s.tokens(policy, b, asked, s.options.Checkpointed)
	if !s.options.Objective.Preference() {
		loss = bfpo.SFTLoss(b.perResponse(logProb))
		return loss, []*Node{loss, b.perResponse(logProb), b.perResponse(logits)}
	}
	reference := b.reference
	if reference == nil {
		reference = s.referenceTokens(policy, b)
	}

	// Token by token the two are close, and their difference loses no digits; the sums of a long response would.
	ratio := b.perResponse(Sub(logProb, reference))
	out := bfpo.Outcome{ChosenSafe: b.chosenSafe, RejectedSafe: b.rejectedSafe}
	out.ChosenLogRatio, out.RejectedLogRatio = pairs(ratio)
	loss = s.options.Objective.Loss(out)
	return loss, []*Node{loss, b.perResponse(logProb), b.perResponse(logits), b.perResponse(reference), ratio}
}

// tokens gives the log-probability of each target of a batch, in nats, and the mean logit at its place.
func (s *Stepper) tokens(w graph.Weights, b batchNodes, asked graph.HeadGradient, checkpointed bool) (logProb, logits *Node) { // [N]
	config := s.model.Config
	hidden := mistral.Hidden(config, w, b.Input, checkpointed) // [B,S,D]
	logProb, logits = graph.TokenLogProbs(hidden, b.index, b.labels, mistral.Head(config, w), asked, headChunk)
	return logProb, StopGradient(logits)
}

// pairs splits interleaved responses into chosen and rejected.
func pairs(x *Node) (chosen, rejected *Node) { // [2P] -> [P], [P]
	p := x.Shape().Dimensions[0] / 2
	x = Reshape(x, p, 2)
	return Reshape(Slice(x, AxisRange(), AxisElem(0)), p), Reshape(Slice(x, AxisRange(), AxisElem(1)), p)
}

// Accumulate adds the gradient of batches, each unit's loss times its weight, and reports the losses of each.
func (s *Stepper) Accumulate(b Batches, weights [][]float32) ([]BatchReport, error) {
	out, err := s.grads.Run(s.model.Base.Group(), s.Masters.Group(), s.sum.Group(), b.feed(weights), s.scalars(s.added))
	if err != nil {
		return nil, err
	}
	s.sum.Replace(out[0])
	s.added = true
	return newBatchReports(out[1])
}

// Measure reports the losses of batches without changing anything.
func (s *Stepper) Measure(b Batches) ([]BatchReport, error) {
	out, err := s.measure.Run(s.model.Base.Group(), s.Masters.Group(), b.feed(nil))
	if err != nil {
		return nil, err
	}
	return newBatchReports(out[0])
}

// Reference computes log pi_ref of each target of batches, in nats: what the batches of a precomputing Stepper carry.
func (s *Stepper) Reference(b Batches) ([][]float32, error) {
	out, err := s.reference.Run(s.model.Base.Group(), s.Masters.Group(), b.feed(nil))
	if err != nil {
		return nil, err
	}
	values := make([][]float32, len(b))
	for device, part := range out[0] {
		if values[device], err = tensors.CopyFlatData[float32](part[0]); err != nil {
			return nil, err
		}
		part[0].MustFinalizeAll()
	}
	return values, nil
}

// Apply updates the masters by the accumulated gradient at a learning rate and returns the gradient's global norm before clipping.
// The state is consumed and replaced: after an error it is gone, and training goes on from the last checkpoint.
func (s *Stepper) Apply(learningRate float64) (gradNorm float64, err error) {
	if !s.added {
		return 0, errors.New("an update without a gradient: there was no batch since the last one")
	}
	s.Step++
	o := s.options.Optimizer
	correction1, correction2 := 1-math.Pow(o.Beta1, float64(s.Step)), 1-math.Pow(o.Beta2, float64(s.Step))
	scalars := s.scalars(float32(learningRate), float32(correction1), float32(correction2))
	out, err := s.apply.Run(s.Masters.Group(), s.M.Group(), s.V.Group(), s.sum.Group(), scalars)
	if err != nil {
		return 0, err
	}
	for i, set := range []*device.Tensors{s.Masters, s.M, s.V} {
		set.Replace(out[i])
	}
	s.added = false
	return float64(tensors.ToScalar[float32](out[3][0][0])), nil // the same on every device
}

// scalars makes inputs of numbers, the same for each device.
func (s *Stepper) scalars(values ...any) (inputs device.Group) {
	for range s.mesh().Devices() {
		var each []*tensors.Tensor
		for _, value := range values {
			each = append(each, tensors.MustFromAnyValue(value))
		}
		inputs = append(inputs, each)
	}
	return inputs
}
