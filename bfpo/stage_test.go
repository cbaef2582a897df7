package bfpo

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// tinyRecipe is a short preference stage on the built-in model, with a buffer, accumulation, a ragged last batch
// and an epoch end.
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

func tinyConfig(t *testing.T, sets ...string) Config {
	t.Helper()
	c, err := LoadConfig(fstest.MapFS{"tiny.yaml": {Data: []byte(tinyRecipe)}}, "tiny", sets)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.As("train"); err != nil {
		t.Fatal(err)
	}
	return c
}

func testRuntime(t *testing.T, d *graph.Device) Runtime {
	t.Helper()
	return Runtime{Device: d, Hub: &datasets.Hub{Offline: true}, Out: testWriter{t}, Results: testWriter{t}, Version: "test"}
}

// testWriter puts what a run prints into the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

// train runs a stage into a new folder and returns it.
func train(t *testing.T, c Config) string {
	t.Helper()
	return trainOn(t, graphtest.Device(t), c)
}

// trainOn is train on a given device.
func trainOn(t *testing.T, d *graph.Device, c Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if _, _, err := Train(context.Background(), testRuntime(t, d), c, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func metricsOf(t *testing.T, dir string) []Record {
	t.Helper()
	records, err := ReadMetrics(filepath.Join(dir, metricsName))
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestLossAtEqualWeights(t *testing.T) {
	for _, sets := range [][]string{
		{"use_selective=true", "selected_layers=down_proj"},
		{"use_selective=false"},
		{"use_selective=true", "selected_layers=down_proj", "torch_dtype=bfloat16"},
		{"use_selective=false", "torch_dtype=bfloat16", "gradient_checkpointing=true"},
	} {
		records := metricsOf(t, train(t, tinyConfig(t, append(sets, "learning_rate=0")...)))
		if len(records) != 6 {
			t.Fatalf("%d records, want 6", len(records))
		}
		for _, r := range records {
			// Policy = reference: every margin is exactly 0, so a pair's loss is its target^2, 25 or 100 nat^2 at beta 0.1. With a mean
			// |target| of d a share (d-5)/5 of the main pairs has 100; the buffer's pairs all have 25.
			loss, _ := r.Get("loss")
			distance, _ := r.Get("main/margins/distance")
			if want := 25 + 75*(distance-5)/5 + 25; math.Abs(loss-want) > 1e-14*want {
				t.Errorf("%v, step %d: loss %v, want %v", sets, r.Step, loss, want)
			}
			for _, name := range []string{"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "margins/nats"} {
				if value, ok := r.Get(name); value != 0 || !ok {
					t.Errorf("%v, step %d: %s is %v with policy = reference", sets, r.Step, name, value)
				}
			}
		}
	}
}

func TestTrainingLowersTheLoss(t *testing.T) {
	records := metricsOf(t, train(t, tinyConfig(t)))
	first, _ := records[0].Get("loss")
	last, _ := records[3].Get("loss") // the same pairs, one epoch later
	if last >= first {
		t.Errorf("loss %v after an epoch, %v at first", last, first)
	}
}

func TestResumedRunEqualsUninterruptedRun(t *testing.T) {
	whole := train(t, tinyConfig(t))
	for _, step := range []string{"step-1", "step-3", "step-5"} { // within an epoch, at its end, before the last step
		resumed := train(t, tinyConfig(t, "resume_from_checkpoint="+filepath.Join(whole, checkpointsName, step)))
		for _, file := range []string{"model/model.safetensors", "checkpoints/step-6/masters.safetensors", "checkpoints/step-6/moment1.safetensors",
			"checkpoints/step-6/moment2.safetensors"} {
			want, got := readFile(t, filepath.Join(whole, file)), readFile(t, filepath.Join(resumed, file))
			if !bytes.Equal(want, got) {
				t.Errorf("from %s: %s differs from the uninterrupted run's", step, file)
			}
		}
	}
}

func TestInterruptSavesACheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	ctx, cancel := context.WithCancel(context.Background())
	rt := testRuntime(t, graphtest.Device(t))
	rt.Out = cancelAfter{cancel, "2/6"}
	c := tinyConfig(t, "save_strategy=no")
	_, _, err := Train(ctx, rt, c, dir)
	if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "after step 2") {
		t.Fatalf("error %v, want one of an interruption after step 2", err)
	}
	if _, _, err := Train(context.Background(), rt, c, dir); err == nil || !strings.Contains(err.Error(), "resume_from_checkpoint") {
		t.Errorf("starting over in the folder of an unfinished run: %v", err)
	}
	rt.Out = testWriter{t}
	if _, _, err := Train(context.Background(), rt, tinyConfig(t, "save_strategy=no", "resume_from_checkpoint=true"), dir); err != nil {
		t.Fatal(err)
	}
	want := readFile(t, filepath.Join(train(t, c), "model/model.safetensors"))
	if !bytes.Equal(want, readFile(t, filepath.Join(dir, "model/model.safetensors"))) {
		t.Error("the weights differ from the uninterrupted run's")
	}
	if records := metricsOf(t, dir); len(records) != 6 {
		t.Errorf("%d lines in metrics.jsonl, want 6", len(records))
	}
}

// cancelAfter cancels a run when it prints a text.
type cancelAfter struct {
	cancel func()
	text   string
}

func (w cancelAfter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(w.text)) {
		w.cancel()
	}
	return len(p), nil
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
