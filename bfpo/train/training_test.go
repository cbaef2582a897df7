package train

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// A loop over Steps that is left after two steps and continued later makes the same run as Train.
func TestLoopOverStepsEqualsTrain(t *testing.T) {
	c := runtest.Config(t, "save_strategy=no")
	dir := filepath.Join(t.TempDir(), "out")
	ctx := context.Background()
	run, err := Begin(ctx, runtest.Runtime(t, graphtest.Device(t)), c, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	var losses []float64
	for m, err := range run.Steps(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if losses = append(losses, m.Loss); len(losses) == 2 {
			break
		}
	}
	if _, _, err := run.Finish(); err == nil || !strings.Contains(err.Error(), "2 of 6 steps") {
		t.Errorf("finishing after two of six steps: %v", err)
	}
	for m, err := range run.Steps(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, m.Loss)
	}
	if _, _, err := run.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := run.Close(); err != nil {
		t.Error(err)
	}
	want := train(t, c)
	for i, r := range metricsOf(t, want) {
		if loss, _ := r.Get("loss"); len(losses) != run.Total() || losses[i] != loss {
			t.Fatalf("losses %v, want %v at step %d", losses, loss, i+1)
		}
	}
	if len(metricsOf(t, dir)) != 6 {
		t.Errorf("metrics.jsonl has %d lines, want 6", len(metricsOf(t, dir)))
	}
	weights := readFile(t, filepath.Join(want, "model/model.safetensors"))
	if !bytes.Equal(weights, readFile(t, filepath.Join(dir, "model/model.safetensors"))) {
		t.Error("the weights differ from Train's")
	}
}
