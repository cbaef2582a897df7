package pretrained

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// trainedNorm returns one trained tensor: the final norm with all weights 1.5.
func trainedNorm() *device.TensorSet {
	values := slices.Repeat([]float32{1.5}, 64)
	norm := tensors.FromFlatDataAndDimensions(values, 64)
	return &device.TensorSet{Names: []string{config.FinalNorm}, Values: []*tensors.Tensor{norm}}
}

// allFiles returns the names of all small files that a folder of the built-in model or a GGUF file has, sorted.
func allFiles() []string {
	return []string{
		config.ChatTemplateFile, config.ConfigFile, config.GenerationConfigFile, config.TokenizerFile,
		config.TokenizerConfigFile,
	}
}

func TestExport(t *testing.T) {
	c := openModel(t, Tiny)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		dir := filepath.Join(t.TempDir(), "new", "model")
		if err := Export(dir, c, trainedNorm(), dtype); err != nil {
			t.Fatal(err)
		}
		reopened := openModel(t, dir)
		if err := reopened.CheckTensors(); err != nil {
			t.Fatal(err)
		}
		if reopened.Config.DType != dtypeName(dtype) || reopened.Config.Parameters() != c.Config.Parameters() {
			t.Errorf("config %+v", reopened.Config)
		}
		for _, spec := range c.Config.Tensors() {
			source, _ := c.Tensor(spec.Name)
			want, _ := Convert(source, dtype, nil)
			got, err := reopened.Tensor(spec.Name)
			if err != nil || got.DType != dtype {
				t.Fatalf("%s: %v %v", spec.Name, got.DType, err)
			}
			if spec.Name == config.FinalNorm {
				if load, _ := loadFunc(dtype); load(got.Bytes) != 1.5 {
					t.Errorf("the trained tensor starts with %g, want 1.5", load(got.Bytes))
				}
			} else if string(got.Bytes) != string(want) {
				t.Errorf("%s: the frozen tensor has changed", spec.Name)
			}
		}
		names, err := reopened.FileNames()
		if err != nil || !slices.Equal(names, allFiles()) {
			t.Errorf("files %v, %v", names, err)
		}
	}
}

// TestExportReplacesOnlyExports checks that Export replaces its own folders but no others, and that the same export
// gives the same bytes.
func TestExportReplacesOnlyExports(t *testing.T) {
	c := openModel(t, Tiny)
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	var written [2][]byte
	for i := range written {
		if err := Export(dir+"/", c, nil, dtypes.BFloat16); err != nil {
			t.Fatal(err)
		}
		written[i], _ = os.ReadFile(filepath.Join(dir, weightsFile))
	}
	if len(written[0]) == 0 || string(written[0]) != string(written[1]) {
		t.Errorf("two exports of %d and %d bytes differ", len(written[0]), len(written[1]))
	}
	foreign := filepath.Join(parent, "foreign")
	os.Mkdir(foreign, 0o755)
	if err := Export(foreign, c, nil, dtypes.Float32); err != nil {
		t.Errorf("empty folder: %v", err)
	}
	os.RemoveAll(foreign)
	os.Mkdir(foreign, 0o755)
	os.WriteFile(filepath.Join(foreign, "thesis.txt"), []byte("precious"), 0o644)
	if err := Export(foreign, c, nil, dtypes.Float32); err == nil || !strings.Contains(err.Error(), foreign) {
		t.Errorf("a foreign folder: error %v, want one that names it", err)
	}
	if text, _ := os.ReadFile(filepath.Join(foreign, "thesis.txt")); string(text) != "precious" {
		t.Error("the file in the foreign folder is gone")
	}
	notes := filepath.Join(dir, "notes.txt")
	os.WriteFile(notes, []byte("mine"), 0o644)
	if err := Export(dir, c, nil, dtypes.Float32); err == nil || !strings.Contains(err.Error(), notes) {
		t.Errorf("an export with a file of its user: error %v, want one that names it", err)
	}
	if text, _ := os.ReadFile(notes); string(text) != "mine" {
		t.Error("the file in the exported folder is gone")
	}
	if left, _ := os.ReadDir(parent); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

// TestExportLink exports through a link to a folder, and to nothing.
func TestExportLink(t *testing.T) {
	c, parent := openModel(t, Tiny), t.TempDir()
	folder, link := filepath.Join(parent, "folder"), filepath.Join(parent, "link")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.Symlink(folder, link)); err != nil {
		t.Fatal(err)
	}
	if err := Export(link, c, nil, dtypes.Float32); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(folder, weightsFile)); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := Export(link, c, nil, dtypes.Float32); err == nil {
		t.Error("an export to a link that leads nowhere")
	}
}

// TestExportOfRemovedFiles checks that a model is not written without the files that were removed while it was in use.
func TestExportOfRemovedFiles(t *testing.T) {
	for _, name := range []string{
		"tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja",
	} {
		dir := tinyFolder(t)
		c := openModel(t, dir)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		err := Export(filepath.Join(t.TempDir(), "out"), c, nil, dtypes.Float32)
		if err == nil || !strings.Contains(err.Error(), name+" was removed while the model was in use") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExportErrors(t *testing.T) {
	c := openModel(t, Tiny)
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	other := trainedNorm()
	other.Names[0] = "model.norm.bias"
	misshapen := trainedNorm()
	misshapen.Values[0] = tensors.FromFlatDataAndDimensions(make([]float32, 63), 63)
	for name, trained := range map[string]*device.TensorSet{"name": other, "shape": misshapen} {
		if err := Export(dir, c, trained, dtypes.Float32); err == nil || !strings.Contains(err.Error(), "model.norm") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Export(dir, c, nil, dtypes.Int8); err == nil {
		t.Error("an export as integers succeeded")
	}
	// A trained tensor that has been freed makes the export fail while it writes the weights.
	freed := trainedNorm()
	if err := freed.Values[0].FinalizeAll(); err != nil {
		t.Fatal(err)
	}
	if err := Export(dir, c, freed, dtypes.Float32); err == nil {
		t.Error("an export of a freed tensor succeeded")
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteShards(t *testing.T) {
	dir := tinyFolder(t)
	c := openModel(t, Tiny)
	sources, err := tensorSources(c, nil, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, weightsFile))
	if err := writeShards(dir, sources, 200_000); err != nil { // the embedding takes 131,072 bytes, all weights 607,488
		t.Fatal(err)
	}
	reopened := openModel(t, dir)
	if err := reopened.CheckTensors(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "model-0000?-of-00004.safetensors"))
	index, err := os.ReadFile(filepath.Join(dir, indexFile))
	if len(files) != 4 || err != nil || !strings.Contains(string(index), `"total_size": 607488`) {
		t.Errorf("%v\n%s, %v", files, index, err)
	}
	if err := CheckReplaceable(dir); err != nil {
		t.Error(err)
	}
}
