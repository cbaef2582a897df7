package train

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// train runs a stage in a new folder and returns the folder.
func train(t *testing.T, c recipe.Config) string {
	t.Helper()
	return trainOn(t, graphtest.Device(t), c)
}

// trainOn is train on a given device.
func trainOn(t *testing.T, d *device.Device, c recipe.Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	if _, _, err := Train(context.Background(), runtest.Runtime(t, d), c, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func metricsOf(t *testing.T, dir string) []track.Record {
	t.Helper()
	records, err := track.ReadMetrics(filepath.Join(dir, rundir.Metrics))
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
		records := metricsOf(t, train(t, runtest.Config(t, append(sets, "learning_rate=0")...)))
		if len(records) != 6 {
			t.Fatalf("%d records, want 6", len(records))
		}
		for _, r := range records {
			// Policy = reference, so every margin is exactly 0 and a pair's loss is the square of its target: 25 or
			// 100 nat² at beta 0.1. If the mean |target| is d, a share (d-5)/5 of the main pairs has a loss of 100, and
			// the other pairs have 25. All pairs of the buffer have 25.
			loss, _ := r.Get("loss")
			distance, _ := r.Get("main/margins/distance")
			if want := 25 + 75*(distance-5)/5 + 25; math.Abs(loss-want) > 1e-14*want {
				t.Errorf("%v, step %d: loss %v, want %v", sets, r.Step, loss, want)
			}
			for _, name := range []string{
				"rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "margins/nats",
			} {
				if value, ok := r.Get(name); value != 0 || !ok {
					t.Errorf("%v, step %d: %s is %v with policy = reference", sets, r.Step, name, value)
				}
			}
		}
	}
}

func TestTrainingLowersTheLoss(t *testing.T) {
	records := metricsOf(t, train(t, runtest.Config(t)))
	first, _ := records[0].Get("loss")
	last, _ := records[3].Get("loss") // the same pairs, one epoch later
	if last >= first {
		t.Errorf("loss %v after an epoch, %v in the first step", last, first)
	}
}

func TestResumedRunEqualsUninterruptedRun(t *testing.T) {
	whole := train(t, runtest.Config(t))
	for _, step := range []string{"step-1", "step-3", "step-5"} { // within an epoch, at its end, before the last step
		checkpoint := filepath.Join(whole, rundir.Checkpoints, step)
		resumed := train(t, runtest.Config(t, "resume_from_checkpoint="+checkpoint))
		for _, file := range []string{
			"model/model.safetensors", "checkpoints/step-6/masters.safetensors",
			"checkpoints/step-6/moment1.safetensors", "checkpoints/step-6/moment2.safetensors",
		} {
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
	rt := runtest.Runtime(t, graphtest.Device(t))
	rt.Out = cancelAfter{cancel, "2/6"}
	c := runtest.Config(t, "save_strategy=no")
	_, _, err := Train(ctx, rt, c, dir)
	if !errors.Is(err, usage.ErrInterrupted) || !strings.Contains(err.Error(), "after step 2") {
		t.Fatalf("error %v, want one of an interruption after step 2", err)
	}
	_, _, err = Train(context.Background(), rt, c, dir)
	if err == nil || !strings.Contains(err.Error(), "resume_from_checkpoint") {
		t.Errorf("starting over in the folder of an unfinished run: %v", err)
	}
	rt.Out = runtest.Writer(t)
	again := runtest.Config(t, "save_strategy=no", "resume_from_checkpoint=true")
	if _, _, err := Train(context.Background(), rt, again, dir); err != nil {
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
