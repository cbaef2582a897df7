package pipeline

import (
	"bytes"
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
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
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
			Write: func(w io.Writer) error { return safetensors.Encode(w, nil, test.masters) }},
			checkpoint.State{Step: 1}.File()})
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

// TestExportChecksBase exports a checkpoint beside a base model in which something has changed since the run began.
func TestExportChecksBase(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	tiny, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer tiny.Close()
	if err := pretrained.Export(base, tiny, nil, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	c := runtest.Config(t, "model_name_or_path="+base, "max_steps=1", "use_buffer=false")
	if _, _, err := train.Train(t.Context(), runtest.Runtime(t, graphtest.GoDevice(t)), c, out); err != nil {
		t.Fatal(err)
	}
	export := func(name string) error {
		saved := recipe.Config{Model: filepath.Join(out, rundir.Checkpoints, "step-1")}
		return Export(t.Context(), saved, filepath.Join(dir, name), nil, slog.New(slog.DiscardHandler), "test")
	}
	if err := export("same"); err != nil {
		t.Fatal(err)
	}
	for file, change := range map[string]struct {
		edit func(text []byte) []byte
		want string
	}{
		"model.safetensors": {func(text []byte) []byte {
			text[len(text)-3] ^= 1
			return text
		}, "another model: tensor "},
		"config.json": {func(text []byte) []byte {
			return bytes.Replace(text, []byte("10000.0"), []byte("20000.0"), 1)
		}, "rope_theta"},
		"tokenizer.json": {func(text []byte) []byte { return append(text, ' ') }, "another tokenizer"},
	} {
		path := filepath.Join(base, file)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change.edit(bytes.Clone(whole)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := export("another"); err == nil || !strings.Contains(err.Error(), change.want) ||
			!strings.Contains(err.Error(), "step-1") {
			t.Errorf("%s: %v, want %q", file, err, change.want)
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
