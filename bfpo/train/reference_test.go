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

// A run with reference log-probabilities that were computed before the first step, or read from the cache, equals a
// run that computes them in every step. This holds to the last bit within the first epoch; later batches have another
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
			t.Errorf("the output does not name %s:\n%s", want, &out)
		}
		return dir
	}
	same := func(dir string) {
		t.Helper()
		want := readFile(t, filepath.Join(online, "model/model.safetensors"))
		if !bytes.Equal(want, readFile(t, filepath.Join(dir, "model/model.safetensors"))) {
			t.Error("the weights differ from the run that computes the reference in every step")
		}
	}
	same(precomputed("the base model"))
	same(precomputed("the cache"))
	precomputed("the base model", "torch_dtype=bfloat16")

	files, err := filepath.Glob(filepath.Join(cache, "reference", "*.logps"))
	if err != nil || len(files) != 2 {
		t.Fatalf("files %v, %v; want one for each number type", files, err)
	}
	for _, file := range files {
		if err := os.Truncate(file, 100); err != nil {
			t.Fatal(err)
		}
	}
	same(precomputed("the base model"))
}

// With equal weights the margin is exactly 0 even if another program computed the reference, during the first pass over
// a set. A buffer that starts again in another order has its pairs in other columns of a row.
func TestPrecomputedStepZero(t *testing.T) {
	for _, dtype := range []string{"float32", "bfloat16"} {
		c := runtest.Config(t, "max_steps=3", "learning_rate=0", "precompute_ref_log_probs=true", "torch_dtype="+dtype)
		for _, r := range metricsOf(t, train(t, c)) {
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
