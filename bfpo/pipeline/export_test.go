package pipeline

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// TestExportChecksMasters exports checkpoints whose masters are not those of the run's recipe.
func TestExportChecksMasters(t *testing.T) {
	source := func(name string, dims []int, data []byte) safetensors.Source {
		return safetensors.Source{Name: name, DType: dtypes.Float32, Dims: dims,
			Data: func() ([]byte, error) { return data, nil }}
	}
	norm := source("model.norm.weight", []int{64}, make([]byte, 256))
	for _, test := range []struct {
		name    string
		masters []safetensors.Source
		want    string
	}{
		{"good", []safetensors.Source{norm}, ""},
		{"missing", nil, "tensor model.norm.weight is missing"},
		{"a scalar more", []safetensors.Source{norm, source("s", nil, make([]byte, 4))}, "tensor s is not"},
		{"an empty tensor more", []safetensors.Source{norm, source("e", []int{0, 4}, nil)}, "tensor e is not"},
		{"a scalar", []safetensors.Source{source("model.norm.weight", nil, make([]byte, 4))}, "want"},
	} {
		run := t.TempDir()
		text := "model_name_or_path: tiny\nuse_selective: true\nselected_layers: [model.norm]\n"
		if err := os.WriteFile(filepath.Join(run, rundir.Config), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		saved, err := checkpoint.Save(filepath.Join(run, rundir.Checkpoints), 1, []checkpoint.File{{Name: step.MastersFile,
			Write: func(w io.Writer) error { return safetensors.Encode(w, nil, test.masters) }}})
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "model")
		err = Export(context.Background(), recipe.Config{Model: saved}, out, nil, slog.New(slog.DiscardHandler), "test")
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
