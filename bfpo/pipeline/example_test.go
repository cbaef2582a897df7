package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/janpfeifer/must"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// A preference stage and the comparison before and after it, on the built-in model and built-in rows.
func ExampleRun() {
	ctx := context.Background()
	c := must.M1(recipe.Load(nil, "", []string{
		"stages=[{train: {dataset_mixer: {quickstart/safety: 0.02}}}, {eval: {dataset_mixer: {quickstart/heldout: 1.0}}}]",
		"model_name_or_path=tiny", "dataset_splits=[train]", "max_length=256", "max_steps=1", "per_device_train_batch_size=1",
		"save_strategy=no",
	}))
	d := must.M1(device.Open(device.Options{Platform: device.PlatformGo}))
	defer d.Close()
	var table bytes.Buffer
	rt := models.Runtime{Device: d, Hub: &hub.Hub{Offline: true}, Out: io.Discard, Results: &table}
	dir := must.M1(os.MkdirTemp("", "bfpo"))
	defer os.RemoveAll(dir)

	must.M(pipeline.Run(ctx, rt, c, dir))
	fmt.Println(strings.Fields(table.String())[:3])
	for _, name := range []string{"1-bfpo/model/model.safetensors", "report.html"} {
		must.M1(os.Stat(filepath.Join(dir, filepath.FromSlash(name))))
	}
	// Output: [72 held-out pairs]
}
