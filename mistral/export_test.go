package mistral

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestTrainable(t *testing.T) {
	c := open(t, Tiny).Config
	tests := []struct {
		patterns []string
		want     int
	}{
		{nil, 21}, {[]string{"down_proj"}, 2}, {[]string{"layers.1."}, 9}, {[]string{"layers.1.", "norm"}, 12}, {[]string{"lm_head", "embed"}, 2}, {[]string{"weight"}, 21},
	}
	for _, test := range tests {
		got, err := Trainable(c, test.patterns)
		if err != nil || len(got) != test.want {
			t.Errorf("%v: %v, %v", test.patterns, got, err)
		}
	}
	for pattern, want := range map[string]string{"downproj": "nearest: down_proj", "lm_heads": "nearest: lm_head", "": "empty"} {
		if _, err := Trainable(c, []string{"norm", pattern}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestLoad(t *testing.T) {
	d := graphtest.GoDevice(t)
	c := open(t, Tiny)
	m, err := Load(d, c, dtypes.BFloat16)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i, spec := range c.Config.Tensors() {
		value := m.Base.Values[i]
		want := dtypes.BFloat16
		if len(spec.Dims) == 1 {
			want = dtypes.Float32
		}
		if m.Base.Names[i] != spec.Name || value.DType() != want || !slices.Equal(value.Shape().Dimensions, spec.Dims) {
			t.Errorf("%s: %s %s", spec.Name, m.Base.Names[i], value.Shape())
		}
		got, err := d.Download(value)
		if err != nil {
			t.Fatal(err)
		}
		source, _ := c.Tensor(spec.Name)
		if rounded, _ := convert(source, want, nil); string(got) != string(rounded) {
			t.Errorf("%s: other values than the checkpoint's", spec.Name)
		}
	}
	masters, err := Masters(d, m, []string{LMHead, FinalNorm})
	if err != nil {
		t.Fatal(err)
	}
	defer masters.Finalize()
	got, err := d.Download(masters.Values[0])
	if source, _ := c.Tensor(LMHead); err != nil || string(got) != string(source.Bytes) {
		t.Errorf("the master is not the checkpoint's tensor in full precision (%v)", err)
	}
	if _, err := Masters(d, m, []string{"w"}); err == nil {
		t.Error("a master of a tensor that is not there")
	}
	if _, err := Load(d, c, dtypes.Int8); err == nil || !strings.Contains(err.Error(), "tensor") {
		t.Errorf("8-bit integers: %v", err)
	}
}

// trainedNorm is a set of one trained tensor: the final norm, all 1.5.
func trainedNorm() *graph.Tensors {
	values := slices.Repeat([]float32{1.5}, 64)
	return &graph.Tensors{Names: []string{FinalNorm}, Values: []*tensors.Tensor{tensors.FromFlatDataAndDimensions(values, 64)}}
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
			want, _ := convert(source, dtype, nil)
			got, err := again.Tensor(spec.Name)
			if err != nil || got.DType != dtype {
				t.Fatalf("%s: %v %v", spec.Name, got.DType, err)
			}
			if spec.Name == FinalNorm {
				if load, _ := loader(dtype); load(got.Bytes) != 1.5 {
					t.Errorf("trained tensor starts with %g", load(got.Bytes))
				}
			} else if string(got.Bytes) != string(want) {
				t.Errorf("%s: frozen tensor has changed", spec.Name)
			}
		}
		names, err := again.FileNames()
		if err != nil || !slices.Equal(names, []string{templateFile, configFile, generationFile, tokenizerFile, tokenizerConf}) {
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
	for name, trained := range map[string]*graph.Tensors{"name": other, "shape": misshapen} {
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

// TestUnpermute puts the rows of two heads of width 4 back.
func TestUnpermute(t *testing.T) {
	var in []byte
	for row := range 8 {
		in = binary.LittleEndian.AppendUint32(in, math.Float32bits(float32(row)))
	}
	got := unpermute(in, 8, 2)
	for i, want := range []float32{0, 2, 1, 3, 4, 6, 5, 7} {
		if v := loadFloat32(got[4*i:]); v != want {
			t.Errorf("row %d is %g, want %g", i, v, want)
		}
	}
}
