package train_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/janpfeifer/must"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// A preference stage on the built-in model and built-in rows, step by step. train.Train is the loop for programs that
// need none of the metrics between.
func ExampleBegin() {
	ctx := context.Background()
	c := must.M1(recipe.Load(nil, "", []string{
		"model_name_or_path=tiny", "objective=bfpo", "dataset_mixer={quickstart/safety: 0.02}", "dataset_splits=[train]",
		"max_length=256", "per_device_train_batch_size=1", "max_steps=2", "learning_rate=1e-3", "save_strategy=no",
		"lr_scheduler_type=constant",
	}))
	d := must.M1(device.Open(device.Options{Platform: device.PlatformGo}))
	defer d.Close()
	rt := models.Runtime{Device: d, Hub: &hub.Hub{Offline: true}, Out: io.Discard, Results: io.Discard}
	dir := must.M1(os.MkdirTemp("", "bfpo"))
	defer os.RemoveAll(dir)

	run := must.M1(train.Begin(ctx, rt, c, filepath.Join(dir, "run")))
	defer run.Close()
	for m, err := range run.Steps(ctx) {
		must.M(err)
		// The margin is by how much the policy prefers chosen to rejected more than the reference model does.
		margin, _ := m.Main.Nats.Value()
		fmt.Printf("step %d of %d: margin %.1f nat, learning rate %g\n", m.Step, run.Total(), margin, m.LearningRate)
	}
	must.M2(run.Finish())
	fmt.Println(must.M1(os.Stat(filepath.Join(dir, "run", "model", "model.safetensors"))).Size() > 0)
	// Output:
	// step 1 of 2: margin 0.0 nat, learning rate 0.001
	// step 2 of 2: margin 0.9 nat, learning rate 0.001
	// true
}
