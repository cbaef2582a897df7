package step

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// tensorSource describes a tensor with the given bytes.
func tensorSource(name string, dtype dtypes.DType, dims []int, data []byte) safetensors.Source {
	return safetensors.Source{Name: name, DType: dtype, Dims: dims, Data: func() ([]byte, error) { return data, nil }}
}

// writeTensors writes a weight file and returns its path.
func writeTensors(t testing.TB, sources ...safetensors.Source) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), MastersFile)
	if err := safetensors.Write(path, nil, sources); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckTensors(t *testing.T) {
	specs := []config.TensorSpec{{Name: "w", Dims: []int{2, 2}}, {Name: "v", Dims: []int{1}}}
	w := tensorSource("w", dtypes.Float32, []int{2, 2}, make([]byte, 16))
	v := tensorSource("v", dtypes.Float32, []int{1}, make([]byte, 4))
	nan := []byte{0, 0, 0xc0, 0x7f}
	for _, test := range []struct {
		name    string
		sources []safetensors.Source
		want    string
	}{
		{"good", []safetensors.Source{w, v}, ""},
		{"missing", []safetensors.Source{w}, "tensor v is missing"},
		{"extra scalar", []safetensors.Source{w, v, tensorSource("s", dtypes.Float32, nil, make([]byte, 4))},
			"tensor s is not"},
		{"extra empty", []safetensors.Source{w, v, tensorSource("e", dtypes.Float32, []int{0, 4}, nil)}, "tensor e is not"},
		{"scalar", []safetensors.Source{w, tensorSource("v", dtypes.Float32, nil, make([]byte, 4))},
			"tensor v is Float32 []"},
		{"type", []safetensors.Source{w, tensorSource("v", dtypes.Int32, []int{1}, make([]byte, 4))}, "tensor v is Int32"},
		{"NaN", []safetensors.Source{w, tensorSource("v", dtypes.Float32, []int{1}, nan)}, "tensor v: element 0 is NaN"},
	} {
		file, err := safetensors.Open(writeTensors(t, test.sources...))
		if err != nil {
			t.Fatal(err)
		}
		err = CheckTensors(file, specs)
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		file.Close()
	}
}

// TestUploadTensorsShapes checks that a scalar and a tensor without elements are errors.
func TestUploadTensorsShapes(t *testing.T) {
	path := writeTensors(t, tensorSource("s", dtypes.Float32, nil, make([]byte, 4)),
		tensorSource("e", dtypes.Float32, []int{0, 4}, nil))
	file, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, name := range file.Names() {
		if _, err := UploadTensors(graphtest.GoDevice(t), nil, file, []string{name}); err == nil ||
			!strings.Contains(err.Error(), "tensor "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRestoreNotFinite restores a checkpoint whose second moments hold an infinity.
func TestRestoreNotFinite(t *testing.T) {
	d := graphtest.GoDevice(t)
	trained, _ := testState(t, d, nil)
	files, err := trained.Files()
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if f.Name != "moment2.safetensors" {
			continue
		}
		var data bytes.Buffer
		if err := f.Write(&data); err != nil {
			t.Fatal(err)
		}
		copy(data.Bytes()[data.Len()-4:], []byte{0, 0, 0x80, 0x7f})
		files[i].Write = func(w io.Writer) error {
			_, err := w.Write(data.Bytes())
			return err
		}
	}
	dir, err := checkpoint.Save(t.TempDir(), 3, files)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = trained.Restore(d, c)
	if err == nil || !strings.Contains(err.Error(), "moment2.safetensors: tensor ") ||
		!strings.Contains(err.Error(), "is +Inf") {
		t.Error(err)
	}
}

func FuzzCheckTensors(f *testing.F) {
	w := tensorSource("w", dtypes.Float32, []int{2, 2}, make([]byte, 16))
	for _, v := range []safetensors.Source{
		tensorSource("v", dtypes.Float32, []int{1}, []byte{0, 0, 0x80, 0x7f}),
		tensorSource("v", dtypes.Float32, []int{1}, []byte{0, 0, 0x80, 0x3f}), tensorSource("s", dtypes.Bool, nil, []byte{1}),
	} {
		data, err := os.ReadFile(writeTensors(f, w, v))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	specs := []config.TensorSpec{{Name: "w", Dims: []int{2, 2}}, {Name: "v", Dims: []int{1}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), MastersFile)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.Bounded(t, len(data), 10*time.Second, func() {
			file, err := safetensors.Open(path)
			if err != nil {
				return
			}
			defer file.Close()
			if CheckTensors(file, specs) != nil {
				return
			}
			for _, spec := range specs {
				tensor, err := file.Tensor(spec.Name)
				if err != nil {
					t.Fatal(err)
				}
				for at := 0; at < len(tensor.Bytes); at += 4 {
					if v := float64(readFloat32(tensor.Bytes[at:])); math.IsNaN(v) || math.IsInf(v, 0) {
						t.Fatalf("%s has %v", spec.Name, v)
					}
				}
			}
		})
	})
}

func readFloat32(b []byte) float32 {
	return math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
}
