package data

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Inputs are a model's files and the sets of a training stage, laid out for the steps of the run.
type Inputs struct {
	Checkpoint *pretrained.Model
	Tokenizer  models.ChatTokenizer
	Sets       Sets
	Count      step.Count // steps of the run

	Shapes       []batch.Shape     // shapes of all training batches
	Main, Buffer step.Stream       // Buffer is nil without a buffer set
	HeldOut      []step.MicroBatch // held-out rows, for evaluations during training
}

// Open finds the model that a recipe names, reads its tokenizer and the recipe's data, and lays the data out. Call
// Close after use.
func Open(ctx context.Context, rt models.Runtime, c recipe.Config) (in Inputs, err error) {
	if in.Checkpoint, err = models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log()); err != nil {
		return in, err
	}
	if err := in.read(ctx, rt, c); err != nil {
		return in, errors.Join(err, in.Close())
	}
	return in, nil
}

// read reads the tokenizer and the data of the open model, and lays the data out.
func (in *Inputs) read(ctx context.Context, rt models.Runtime, c recipe.Config) (err error) {
	if in.Tokenizer, err = models.NewChatTokenizer(ctx, in.Checkpoint, c); err != nil {
		return err
	}
	for _, notice := range in.Tokenizer.Notices() {
		rt.Log().Info(notice)
	}
	if in.Tokenizer.UsesDefaultTemplate {
		rt.Log().Info(fmt.Sprintf("%s has no chat template: using zephyr's", c.Model))
	}
	in.Tokenizer.SetFiles(in.Checkpoint, c)
	if in.Sets, err = Read(ctx, c, in.Checkpoint.Config, in.Tokenizer, rt.Hub, rt.Cache); err != nil {
		return err
	}
	in.OpenStreams(c)
	return in.LayOutHeldOut(c)
}

// OpenStreams counts the steps of a run over Sets, chooses the shapes of its batches, and opens the streams of the main
// set and the buffer, which lay micro-batches out as they are drawn.
func (in *Inputs) OpenStreams(c recipe.Config) {
	in.Count = step.NewCount(in.Sets.Main.Rows, c.PerDeviceTrainBatchSize*c.Devices, c.GradientAccumulationSteps,
		c.MaxSteps, c.NumTrainEpochs, c.TextFormat == "seed")
	if c.Objective == "sft" {
		openStreams(in, c, newLoader(c, in.Sets.Main.Documents))
		return
	}
	loaders := []*batch.Loader[batch.Pair]{newLoader(c, in.Sets.Main.Pairs)}
	if in.Sets.Buffer.Rows > 0 {
		loaders = append(loaders, newLoader(c, in.Sets.Buffer.Pairs))
	}
	openStreams(in, c, loaders...)
}

// LayOutHeldOut lays the held-out rows out. Call it again after the reference log-probabilities of the rows have been
// computed.
func (in *Inputs) LayOutHeldOut(c recipe.Config) (err error) {
	if c.Objective == "sft" {
		in.HeldOut, err = step.LayOutAll(in.Sets.HeldOut.Documents, c.PerDeviceEvalBatchSize, c.Devices)
	} else {
		in.HeldOut, err = step.LayOutAll(in.Sets.HeldOut.Pairs, c.PerDeviceEvalBatchSize, c.Devices)
	}
	return err
}

// newLoader returns a loader of rows. The first epoch keeps their order, in which data_seed has shuffled them; each
// later epoch, and each restart of a buffer, is shuffled by seed.
func newLoader[T batch.Example](c recipe.Config, rows []T) *batch.Loader[T] {
	return &batch.Loader[T]{
		Rows: rows, Size: c.PerDeviceTrainBatchSize * c.Devices, Shuffle: c.Shuffle, Seed: uint64(c.Seed),
	}
}

// openStreams first chooses the shapes of the batches from all micro-batches of the run and, if the reference
// log-probabilities are computed before it, of a whole pass over each loader's rows. Then it opens a stream per loader.
func openStreams[T batch.Example](in *Inputs, c recipe.Config, loaders ...*batch.Loader[T]) {
	n := min(in.Count.Total, math.MaxInt/in.Count.PerStep) * in.Count.PerStep
	if c.PrecomputesReference() {
		for _, l := range loaders {
			n = max(n, l.MicroBatches())
		}
	}
	in.Shapes = step.PlanShapes(n, c.Devices, loaders...)
	in.Main = step.NewStream(loaders[0], in.Shapes, c.Devices)
	if len(loaders) > 1 {
		in.Buffer = step.NewStream(loaders[1], in.Shapes, c.Devices)
	}
}

// Close closes the model's files.
func (in *Inputs) Close() error {
	if in.Checkpoint == nil {
		return nil
	}
	return in.Checkpoint.Close()
}
