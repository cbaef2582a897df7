package train

import (
	"bytes"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// A run whose reference log-probabilities were computed beforehand, or read from an earlier run's file, equals a
// run that computes them in every step. The batches of the first epoch are identical; later batches have another
// layout and differ by rounding.
func TestPrecomputedReference(t *testing.T) {
	firstPass := []string{"max_steps=3", "buffer_dataset_mixer={quickstart/helpful: 0.1}"} // three batches of each set
	online := train(t, runtest.Config(t, firstPass...))
	cache := t.TempDir()
	precomputed := func(want string, sets ...string) string {
		t.Helper()
		var out bytes.Buffer
		rt := runtest.Runtime(t, graphtest.Device(t))
		rt.Cache, rt.Out = cache, &out
		dir := filepath.Join(t.TempDir(), "out")
		sets = slices.Concat(firstPass, []string{"precompute_ref_log_probs=true"}, sets)
		if _, _, err := Train(context.Background(), rt, runtest.Config(t, sets...), dir); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "reference log-probabilities of 18 pairs from "+want) {
			t.Errorf("no word of %s in\n%s", want, &out)
		}
		return dir
	}
	same := func(dir string) {
		t.Helper()
		if !bytes.Equal(readFile(t, filepath.Join(online, "model/model.safetensors")), readFile(t, filepath.Join(dir, "model/model.safetensors"))) {
			t.Error("the weights are not those of the run that computes the reference in every step")
		}
	}
	same(precomputed("the base model"))
	same(precomputed("the cache"))
	precomputed("the base model", "torch_dtype=bfloat16")

	files, err := filepath.Glob(filepath.Join(cache, "reference", "*.logps"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v; want one of each type", files, err)
	}
	for _, file := range files {
		if err := os.Truncate(file, 100); err != nil {
			t.Fatal(err)
		}
	}
	same(precomputed("the base model"))
}

// With equal weights the margin is exactly 0 also where the reference was computed by another program, as long as
// the batches are those of the sets' first pass: a buffer that begins again, in another order, has its pairs at
// other places of a row.
func TestPrecomputedStepZero(t *testing.T) {
	for _, dtype := range []string{"float32", "bfloat16"} {
		for _, r := range metricsOf(t, train(t, runtest.Config(t, "max_steps=3", "learning_rate=0", "precompute_ref_log_probs=true", "torch_dtype="+dtype))) {
			for _, set := range []string{"main/", "buffer/"} {
				bound := 0.0
				if set == "buffer/" && r.Step == 3 {
					bound = map[string]float64{"float32": 1e-5, "bfloat16": 0.05}[dtype]
				}
				for _, name := range []string{"rewards/chosen", "rewards/rejected", "margins/nats"} {
					if value, ok := r.Get(set + name); !(math.Abs(value) <= bound) || !ok {
						t.Errorf("%s, step %d: %s is %v", dtype, r.Step, set+name, value)
					}
				}
			}
		}
	}
}
