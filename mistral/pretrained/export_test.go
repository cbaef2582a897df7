package pretrained

import (
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

// trainedNorm is a set of one trained tensor: the final norm, all 1.5.
func trainedNorm() *device.Tensors {
	values := slices.Repeat([]float32{1.5}, 64)
	return &device.Tensors{Names: []string{config.FinalNorm}, Values: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(values, 64)}}
}

func TestExport(t *testing.T) {
	c := open(t, Tiny)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		dir := filepath.Join(t.TempDir(), "new", "model")
		if err := Export(dir, c, trainedNorm(), dtype); err != nil {
			t.Fatal(err)
		}
		again := open(t, dir)
		if err := again.CheckTensors(); err != nil {
			t.Fatal(err)
		}
		if again.Config.DType != dtypeName(dtype) || again.Config.Parameters() != c.Config.Parameters() {
			t.Errorf("config %+v", again.Config)
		}
		for _, spec := range c.Config.Tensors() {
			source, _ := c.Tensor(spec.Name)
			want, _ := Convert(source, dtype, nil)
			got, err := again.Tensor(spec.Name)
			if err != nil || got.DType != dtype {
				t.Fatalf("%s: %v %v", spec.Name, got.DType, err)
			}
			if spec.Name == config.FinalNorm {
				if load, _ := loader(dtype); load(got.Bytes) != 1.5 {
					t.Errorf("trained tensor starts with %g", load(got.Bytes))
				}
			} else if string(got.Bytes) != string(want) {
				t.Errorf("%s: frozen tensor has changed", spec.Name)
			}
		}
		names, err := again.FileNames()
		if err != nil || !slices.Equal(names, []string{config.TemplateFile, config.ConfigFile, config.GenerationFile, config.TokenizerFile, config.TokenizerConf}) {
			t.Errorf("files %v, %v", names, err)
		}
	}
}

// TestExportReplaces checks which folders are overwritten, and that the same export gives the same bytes.
func TestExportReplaces(t *testing.T) {
	c := open(t, Tiny)
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
		t.Errorf("%d and %d bytes, not the same", len(written[0]), len(written[1]))
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
		t.Errorf("somebody else's folder: %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(foreign, "thesis.txt")); string(text) != "precious" {
		t.Error("somebody else's file is gone")
	}
	if left, _ := os.ReadDir(parent); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}

func TestExportErrors(t *testing.T) {
	c := open(t, Tiny)
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	other := trainedNorm()
	other.Names[0] = "model.norm.bias"
	misshapen := trainedNorm()
	misshapen.Values[0] = tensors.FromFlatDataAndDimensions(make([]float32, 63), 63)
	for name, trained := range map[string]*device.Tensors{"name": other, "shape": misshapen} {
		if err := Export(dir, c, trained, dtypes.Float32); err == nil || !strings.Contains(err.Error(), "model.norm") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Export(dir, c, nil, dtypes.Int8); err == nil {
		t.Error("exported as integers")
	}
	// A trained tensor that has been freed fails in the middle of the weights.
	freed := trainedNorm()
	shape := freed.Values[0]
	if err := shape.FinalizeAll(); err != nil {
		t.Fatal(err)
	}
	if err := Export(dir, c, freed, dtypes.Float32); err == nil {
		t.Error("exported a freed tensor")
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteShards(t *testing.T) {
	dir := tinyFolder(t)
	c := open(t, Tiny)
	sources, err := exportSources(c, nil, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, weightsFile))
	if err := writeShards(dir, sources, 200_000); err != nil { // the embedding takes 131,072 bytes, all 607,488
		t.Fatal(err)
	}
	again := open(t, dir)
	if err := again.CheckTensors(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "model-0000?-of-00004.safetensors"))
	index, err := os.ReadFile(filepath.Join(dir, indexFile))
	if len(files) != 4 || err != nil || !strings.Contains(string(index), `"total_size": 607488`) {
		t.Errorf("%v\n%s, %v", files, index, err)
	}
	if err := replaceable(dir); err != nil {
		t.Error(err)
	}
}
