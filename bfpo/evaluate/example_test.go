package evaluate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes"
	"github.com/janpfeifer/must"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/edit"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// A built-in task on local rows: a plan reads and tokenises its documents, and a run computes, writes and returns the
// results.
func ExampleRun() {
	ctx := context.Background()
	checkpoint := must.M1(pretrained.Open(pretrained.Tiny))
	defer checkpoint.Close()
	d := must.M1(device.Open(device.Options{Platform: device.PlatformGo}))
	defer d.Close()
	model := must.M1(mistral.Load(d, checkpoint, dtypes.Float32))
	defer model.Close()

	catalog := must.M1(task.NewCatalog("", edit.Nearest))
	tasks, _ := must.M2(catalog.Select([]string{"truthfulqa_mc1"}))
	encoder := evaluate.Encoder{
		Tokenizer: must.M1(tokenizer.New(checkpoint.ReadFile)),
		MaxLength: checkpoint.Config.MaxPositionEmbeddings,
	}
	plan := must.M1(
		evaluate.NewPlan(ctx, tasks, task.Data{Folder: filepath.Join("testdata", "golden", "rows")}, encoder, 2),
	)

	scorer := mistral.NewScorer(d, model.Config, model.Base, nil, dtypes.Float32)
	defer scorer.Close()
	dir := must.M1(os.MkdirTemp("", "bfpo"))
	defer os.RemoveAll(dir)
	results := must.M1(evaluate.Run{Plan: plan, Scorer: scorer, Tokenizer: encoder.Tokenizer, Dir: dir}.Do(ctx))
	for _, t := range results.Tasks {
		fmt.Println(t.Name, t.Documents, "documents,", t.Metrics[0].Name)
	}
	must.M1(os.Stat(filepath.Join(dir, "results.json")))
	// Output: truthfulqa_mc1 2 documents, acc
}
