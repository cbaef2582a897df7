package bfpo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
)

// testTrained has more tensors in each set than are copied at a time, of unequal sizes and in no order of their
// names, and no two numbers alike. It returns the elements too, by file and name.
func testTrained(t *testing.T, d *graph.Device, mesh *graph.Mesh) (Trained, map[string][]byte) {
	t.Helper()
	var trained Trained
	elements, next := map[string][]byte{}, float32(0)
	for _, set := range trained.sets() {
		*set.at = &graph.Tensors{Mesh: mesh}
		for i := range 40 {
			shape := shapes.Make(dtypes.Float32, 2+2*(i%3), 64*(1+i*7%40))
			if i%5 == 0 {
				shape = shapes.Make(dtypes.Float32, 7) // on every device
			}
			var data []byte
			for range shape.Size() {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(next))
				next++
			}
			name := fmt.Sprintf("layers.%d.mlp.down_proj.weight", i*17%40)
			row := len(data) / shape.Dimensions[0]
			cut := mesh.Cuts(name, shape.Dimensions)
			parts, err := d.UploadParts(mesh, shape, cut, func(first, end int) ([]byte, error) { return data[first*row : end*row], nil })
			if err != nil {
				t.Fatal(err)
			}
			(*set.at).AddParts(name, parts, cut)
			elements[set.file+" "+name] = data
		}
	}
	return trained, elements
}

// A checkpoint has every tensor's bytes under its name, in the order of the set, and gives them back; on one device
// or in parts.
func TestCheckpointRoundTrip(t *testing.T) {
	check := func(d *graph.Device, mesh *graph.Mesh) func(t *testing.T) {
		return func(t *testing.T) {
			trained, want := testTrained(t, d, mesh)
			names := slices.Clone(trained.Masters.Names)
			files, err := trained.files()
			if err != nil {
				t.Fatal(err)
			}
			path, err := SaveCheckpoint(t.TempDir(), 7, files)
			if err != nil {
				t.Fatal(err)
			}
			if err := files[0].Write(&bytes.Buffer{}); err == nil {
				t.Error("a copy was kept after it was written")
			}
			c, err := OpenCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range trained.sets() { // other values, to be replaced
				zeros, err := zerosLike(d, *set.at)
				if err != nil {
					t.Fatal(err)
				}
				(*set.at).Finalize()
				*set.at = zeros
			}
			if err := trained.restore(d, c); err != nil || trained.Step != 7 {
				t.Fatal(trained.Step, err)
			}
			for _, set := range trained.sets() {
				checkTensors(t, c.File(set.file), *set.at, names, func(name string) []byte { return want[set.file+" "+name] })
				(*set.at).Finalize()
			}
		}
	}
	t.Run("one device", check(graphtest.Device(t), nil))
	t.Run("go", check(graphtest.GoDevice(t), nil))
	t.Run("mesh", func(t *testing.T) {
		mesh, err := graph.ParseMesh("data=2,fsdp=2", 4, mistral.Sharding())
		if err != nil {
			t.Fatal(err)
		}
		check(graphtest.Devices(t, 4), mesh)(t)
	})
}

// checkTensors compares a file and a set that was read from it with the elements they should have.
func checkTensors(t *testing.T, path string, ts *graph.Tensors, names []string, want func(name string) []byte) {
	t.Helper()
	file, err := mistral.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if !slices.Equal(file.Names(), names) || !slices.Equal(ts.Names, names) {
		t.Errorf("%s: order %v in the file, %v on the device, want %v", path, file.Names(), ts.Names, names)
	}
	for i, name := range names {
		written, err := file.Tensor(name)
		if err != nil || !bytes.Equal(written.Bytes, want(name)) {
			t.Errorf("%s: %s was written with other elements (%v)", path, name, err)
		}
		read, err := ts.Whole(i)
		if err != nil || !bytes.Equal(read, want(name)) {
			t.Errorf("%s: %s was read with other elements (%v)", path, name, err)
		}
	}
}

// One tensor may stand in several sets, and lie on the host: copies of it at the same time are all whole.
func TestSharedTensorsAreCopied(t *testing.T) {
	ts := &graph.Tensors{}
	x := tensors.FromValue([]float32{1, 2, 3})
	for i := range 20 {
		ts.Add(fmt.Sprint("t", i), x)
	}
	files, err := (&Trained{Masters: ts, M: ts, V: ts}).files()
	if err != nil {
		t.Fatal(err)
	}
	var all [3]bytes.Buffer
	for i, f := range files {
		if err := f.Write(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	want := bytes.Repeat([]byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40}, 20)
	for i := range all {
		if !bytes.HasSuffix(all[i].Bytes(), want) || !bytes.Equal(all[i].Bytes(), all[0].Bytes()) {
			t.Errorf("%s has other elements", files[i].Name)
		}
	}
}

func TestCopyErrorNamesTensor(t *testing.T) {
	trained, _ := testTrained(t, graphtest.Device(t), nil)
	gone := trained.M.Names[11] // as if a program had consumed it
	trained.M.Values[11].MustFinalizeAll()
	files, err := trained.files()
	if err == nil || len(files) != 0 || !strings.Contains(err.Error(), "moment1.safetensors: tensor "+gone+": ") {
		t.Errorf("%d files, %v", len(files), err)
	}
}
