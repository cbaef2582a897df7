package train

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/plan"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// A stage that does not fit on the GPU is refused before the weights are loaded, and the error lists remedies.
func TestPlanDoesNotFit(t *testing.T) {
	graphtest.CompileOnlyGPUs(t, "h100", 1) // skips the test if there is no compiler for GPUs
	small, err := device.FindGPU("h100")
	if err != nil {
		t.Fatal(err)
	}
	small.Memory = plan.Reserve + 1<<20
	d, err := device.OpenCompileOnly(small, device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	data := filepath.Join(t.TempDir(), "pairs.jsonl")
	if err := os.WriteFile(data, []byte(`{"prompt": "a", "chosen": "b", "rejected": "c"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := recipe.Default()
	c.Model, c.Objective = "tiny", "bfpo"
	c.DatasetMixer, c.DatasetSplits = recipe.Mixer{{Name: data, Fraction: 1}}, []string{"train"}
	rt := models.Runtime{Device: d, Out: io.Discard, Results: io.Discard}
	_, _, err = Train(context.Background(), rt, c, filepath.Join(t.TempDir(), "out"))
	for _, want := range []string{"more memory than there is", "f32 masters", "it would fit with", "-gpu=h200"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
