// Package runtest sets up training runs for the tests of other packages: a short recipe on the built-in model tiny, a
// runtime that prints into the test's log, and pairs of random tokens. No program imports it.
package runtest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
)

// tinyRecipe is a short preference stage on the model tiny, with a buffer set, gradient accumulation, an incomplete
// last batch and the end of an epoch.
const tinyRecipe = `
model_name_or_path: tiny
dataset_mixer: {quickstart/safety: 0.055} # 9 rows: 3 steps of 4, 4 and 1 pairs an epoch
use_buffer: true
buffer_dataset_mixer: {quickstart/helpful: 0.08} # 7 rows
max_length: 384
max_prompt_length: 160
per_device_train_batch_size: 2
gradient_accumulation_steps: 2
max_steps: 6
learning_rate: 0.001
beta: 0.1
logging_steps: 1
save_steps: 1
`

// Config returns tinyRecipe as a preference stage, changed by sets, each written as for the flag -set.
func Config(t testing.TB, sets ...string) recipe.Config {
	t.Helper()
	c, err := recipe.Load(fstest.MapFS{"tiny.yaml": {Data: []byte(tinyRecipe)}}, "tiny", sets)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.ForStage("train"); err != nil {
		t.Fatal(err)
	}
	return c
}

// Runtime returns a runtime on a device. Its hub is offline, and what it prints goes to the test's log.
func Runtime(t testing.TB, d *device.Device) models.Runtime {
	t.Helper()
	return models.Runtime{Device: d, Hub: &hub.Hub{Offline: true}, Out: Writer(t), Results: Writer(t), Version: "test"}
}

// Writer returns a writer that appends to the test's log.
func Writer(t testing.TB) io.Writer { return testWriter{t} }

// testWriter logs each Write as one entry of the test's log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

// RandomPairs returns n pairs of random tokens below vocabulary. Prompts and responses have unequal lengths. The
// pairs are the same at every call.
func RandomPairs(vocabulary, n int) []batch.Pair {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(rng.IntN(vocabulary))
		}
		return ids
	}
	pairs := make([]batch.Pair, n)
	for i := range pairs {
		prompt := ids(9 + 11*i)
		response := func(length int) batch.Sequence {
			return batch.Sequence{IDs: slices.Concat(prompt, ids(length)), PromptLength: len(prompt)}
		}
		pairs[i] = batch.Pair{
			ID: fmt.Sprint(i), Chosen: response(50 - 13*i), Rejected: response(20 + 17*i),
			ChosenSafe: i%2 == 0, RejectedSafe: i%3 == 0,
		}
	}
	return pairs
}
