package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// buildFolder holds the programs that the tests build; it lives as long as the test process.
var buildFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "bfpo-test-") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := buildFolder(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// build compiles the program, with cgo or without.
func build(cgo string) (string, error) {
	dir, err := buildFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bfpo-cgo"+cgo)
	c := exec.Command("go", "build", "-o", path, ".")
	if cgo == "0" {
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", &buildError{string(out), err}
	}
	return path, nil
}

type buildError struct {
	output string
	err    error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.output }

var built = sync.OnceValues(func() (string, error) { return build("1") })

// program is the path of the built program.
func program(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// result is the exit code and the output of one run of the program.
type result struct {
	code     int
	out, err string
}

// call runs a command in this process.
func call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := run(context.Background(), stdio{strings.NewReader(stdin), &out, &err}, args)
	return result{code, out.String(), err.String()}
}

// mustCall runs a command that has to succeed and returns its standard output.
func mustCall(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := call(t, stdin, args...)
	if r.code != exitDone {
		t.Fatalf("bfpo %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// wants checks the exit code and that standard error contains texts.
func (r result) wants(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d\n%s%s", r.code, code, r.out, r.err)
	}
	for _, text := range texts {
		if !strings.Contains(r.err, text) {
			t.Errorf("standard error lacks %q:\n%s", text, r.err)
		}
	}
}

// stageRecipe is a short preference stage with a buffer and accumulation.
const stageRecipe = `model_name_or_path: tiny
dataset_mixer: {quickstart/safety: 0.05}
dataset_splits: [train, test]
use_buffer: true
buffer_dataset_mixer: {quickstart/helpful: 0.08}
buffer_dataset_splits: [train]
max_length: 384
max_prompt_length: 160
per_device_train_batch_size: 2
gradient_accumulation_steps: 2
max_steps: 20
learning_rate: 0.0001
beta: 0.1
logging_steps: 1
save_steps: 3
save_total_limit: 2
`

// writeRecipe writes a recipe file: the short stage and further lines.
func writeRecipe(t *testing.T, more string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "recipe.yaml"), stageRecipe+more)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tinyFolder exports the built-in model to a new folder.
func tinyFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	mustCall(t, "", "export", "-model=tiny", "-out="+dir)
	return dir
}

// rewriteWeights replaces the weights of an exported folder by what change makes of them; a tensor without Dims is
// left out.
func rewriteWeights(t *testing.T, dir string, change func(*safetensors.Tensor)) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	file, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var sources []safetensors.Source
	for _, name := range file.Names() {
		data, err := file.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		data.Bytes = bytes.Clone(data.Bytes)
		if change(&data); data.Dims != nil {
			sources = append(sources, safetensors.Source{Name: name, DType: data.DType, Dims: data.Dims,
				Data: func() ([]byte, error) { return data.Bytes, nil }})
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := safetensors.Write(path, nil, sources); err != nil {
		t.Fatal(err)
	}
}

// absent reports a path that exists.
func absent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("%s was left", path)
	}
}
