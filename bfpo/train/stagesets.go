package train

import (
	"context"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
)

// readData reads the stage's sets and lays out the batches of the whole run.
func (t *training) readData(ctx context.Context) error {
	data, err := data.Read(ctx, t.config, t.model.Config, t.language, t.Hub, t.Cache)
	if err != nil {
		return err
	}
	for _, set := range data.Sets() {
		t.data = append(t.data, set.SetSummary)
	}
	t.trainer.steps = newSteps(t.config, data.Main.Rows)
	t.trainer.schedule = newSchedule(t.config, t.trainer.steps.Total)
	if t.config.Objective == "sft" {
		t.trainer.main = layOut(t, newLoader(t.config, data.Main.Documents))[0]
		t.held, err = fillAll(data.Held.Documents, t.config)
		return err
	}
	t.pairs = stagePairs{data.Main.Pairs, data.Buffer.Pairs, data.Held.Pairs}
	loaders := []*batch.Loader[batch.Pair]{newLoader(t.config, data.Main.Pairs)}
	if data.Buffer.Rows > 0 {
		loaders = append(loaders, newLoader(t.config, data.Buffer.Pairs))
	}
	streams := layOut(t, loaders...)
	t.trainer.main = streams[0]
	if len(streams) > 1 {
		t.trainer.buffer = streams[1]
	}
	t.held, err = fillAll(data.Held.Pairs, t.config)
	return err
}

// newLoader gives the rows in the order that data_seed gave them; each later epoch, and each restart of a buffer, is shuffled by seed.
func newLoader[T batch.Example](c recipe.Config, rows []T) *batch.Loader[T] {
	return &batch.Loader[T]{Rows: rows, Size: c.PerDeviceTrainBatchSize * c.Devices, Shuffle: c.Shuffle, Seed: uint64(c.Seed)}
}

// layOut chooses the shapes of all batches that the loaders will give in the run, and of those that the reference is computed for.
func layOut[T batch.Example](t *training, loaders ...*batch.Loader[T]) []stream {
	batches := t.trainer.steps.Total * t.trainer.steps.Accumulate
	if t.precomputes() {
		for _, l := range loaders {
			batches = max(batches, l.Batches())
		}
	}
	t.shapes = planShapes(batches, t.config.Devices, loaders...)
	var streams []stream
	for _, l := range loaders {
		streams = append(streams, &shapedLoader[T]{Loader: l, shapes: t.shapes, devices: t.config.Devices})
	}
	return streams
}

// fillAll lays out held-out examples in batches of so many for each device.
func fillAll[T batch.Example](examples []T, c recipe.Config) ([]microBatch, error) {
	loader := &batch.Loader[T]{Rows: examples, Size: c.PerDeviceEvalBatchSize * c.Devices, Epochs: 1}
	all := loader.Ahead(len(examples))
	shapes := batch.PlanShapes(shared(all, c.Devices), batch.Shared, rowsOfCall, shapeLimit)
	var batches []microBatch
	for batch := range all {
		m, err := lay(batch, shapes, c.Devices)
		if err != nil {
			return nil, err
		}
		batches = append(batches, m)
	}
	return batches, nil
}
