package step

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// testState has more tensors in each set than are copied at a time, with different sizes, in an order that is not the
// order of their names, and no number occurs twice. It also returns the elements, by file and name.
func testState(t *testing.T, d *device.Device, mesh *device.Mesh) (State, map[string][]byte) {
	t.Helper()
	var trained State
	elements, next := map[string][]byte{}, float32(0)
	for _, set := range trained.sets() {
		*set.at = &device.TensorSet{Mesh: mesh}
		for i := range 40 {
			shape := shapes.Make(dtypes.Float32, 2+2*(i%3), 64*(1+i*7%40))
			if i%5 == 0 {
				shape = shapes.Make(dtypes.Float32, 7) // replicated
			}
			var data []byte
			for range shape.Size() {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(next))
				next++
			}
			name := fmt.Sprintf("layers.%d.mlp.down_proj.weight", i*17%40)
			row := len(data) / shape.Dimensions[0]
			sharded := mesh.IsSharded(name, shape.Dimensions)
			rows := func(first, end int) ([]byte, error) { return data[first*row : end*row], nil }
			shards, err := d.UploadOnMesh(mesh, shape, sharded, rows)
			if err != nil {
				t.Fatal(err)
			}
			(*set.at).AddOnMesh(name, shards, sharded)
			elements[set.file+" "+name] = data
		}
	}
	return trained, elements
}

// A checkpoint has every tensor's bytes under its name, in the order of the set, and restores them, on one device and
// on a mesh.
func TestCheckpointRoundTrip(t *testing.T) {
	check := func(d *device.Device, mesh *device.Mesh) func(t *testing.T) {
		return func(t *testing.T) {
			trained, want := testState(t, d, mesh)
			names := slices.Clone(trained.Masters.Names)
			files, err := trained.Files()
			if err != nil {
				t.Fatal(err)
			}
			path, err := checkpoint.Save(t.TempDir(), 7, files)
			if err != nil {
				t.Fatal(err)
			}
			if err := files[0].Write(&bytes.Buffer{}); err == nil {
				t.Error("a file was written twice: its copy was kept")
			}
			c, err := checkpoint.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range trained.sets() { // zeros, for Restore to replace
				zeros, err := zerosLike(d, *set.at)
				if err != nil {
					t.Fatal(err)
				}
				(*set.at).Finalize()
				*set.at = zeros
			}
			if err := trained.Restore(d, c); err != nil || trained.Step != 7 {
				t.Fatal(trained.Step, err)
			}
			for _, set := range trained.sets() {
				elements := func(name string) []byte { return want[set.file+" "+name] }
				checkTensors(t, filepath.Join(c.Path, set.file), *set.at, names, elements)
				(*set.at).Finalize()
			}
		}
	}
	t.Run("one device", check(graphtest.Device(t), nil))
	t.Run("go", check(graphtest.GoDevice(t), nil))
	t.Run("mesh", func(t *testing.T) {
		mesh, err := device.ParseMesh("data=2,fsdp=2", 4, config.ShardingRules())
		if err != nil {
			t.Fatal(err)
		}
		check(graphtest.CPUDevices(t, 4), mesh)(t)
	})
}

// checkTensors compares a file, and a set that was read from it, with the elements that they should have.
func checkTensors(t *testing.T, path string, ts *device.TensorSet, names []string, want func(name string) []byte) {
	t.Helper()
	file, err := safetensors.Open(path)
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
		read, err := ts.Download(i)
		if err != nil || !bytes.Equal(read, want(name)) {
			t.Errorf("%s: %s was read with other elements (%v)", path, name, err)
		}
	}
}

// A tensor may be in several sets and in host memory. Concurrent copies of it are all complete.
func TestSharedTensorsAreCopied(t *testing.T) {
	ts := &device.TensorSet{}
	x := tensors.FromValue([]float32{1, 2, 3})
	for i := range 20 {
		ts.Add(fmt.Sprint("t", i), x)
	}
	files, err := (&State{Masters: ts, M: ts, V: ts}).Files()
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
	trained, _ := testState(t, graphtest.Device(t), nil)
	freed := trained.M.Names[11] // as if a program had consumed it
	trained.M.Values[11].MustFinalizeAll()
	files, err := trained.Files()
	if err == nil || len(files) != 0 || !strings.Contains(err.Error(), "moment1.safetensors: tensor "+freed+": ") {
		t.Errorf("%d files, %v", len(files), err)
	}
}
