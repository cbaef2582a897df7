package device_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

func TestUploadDownload(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		backing := make([]byte, 65)
		for i := range backing {
			backing[i] = byte(i) // small numbers as bfloat16 and float32, no NaN
		}
		for _, shape := range []shapes.Shape{
			shapes.Make(dtypes.BFloat16, 4, 8), shapes.Make(dtypes.Float32, 16), shapes.Make(dtypes.Int32, 2, 2, 4),
			shapes.Make(dtypes.Float32), shapes.Make(dtypes.Float32, 0, 3),
		} {
			for _, start := range []int{0, 1} { // weight files do not guarantee alignment
				data := backing[start : start+int(shape.ByteSize())]
				x, err := d.Upload(shape, data)
				if err != nil {
					t.Fatal(err)
				}
				if !x.Shape().Equal(shape) {
					t.Errorf("shape %s, want %s", x.Shape(), shape)
				}
				got, err := d.Download(x)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, data) {
					t.Errorf("%s from byte %d: %v, want %v", shape, start, got, data)
				}
				if d.Platform() != device.PlatformGo && x.HasLocal() {
					t.Error("Download stored a copy on the host")
				}
			}
		}
		if _, err := d.Upload(shapes.Make(dtypes.Float32, 2), backing[:7]); err == nil {
			t.Error("too few bytes: no error")
		}
	})
}

func TestTensors(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		set := &device.TensorSet{}
		set.Add("a", tensors.FromValue([]float32{1, 2}))
		set.Add("b", tensors.FromValue([][]int32{{3, 4, 5}}))
		if set.Bytes() != 8+12 || set.Index("b") != 1 || set.Index("c") != -1 {
			t.Errorf("bytes %d, indices %d, %d", set.Bytes(), set.Index("b"), set.Index("c"))
		}
		if x, err := set.Get("b"); err != nil || x != set.Values[1] {
			t.Errorf("b: %v, %v", x, err)
		}
		if _, err := set.Get("c"); err == nil {
			t.Error("a missing tensor: no error")
		}
		if got := set.Shapes(); !got[1].Equal(shapes.Make(dtypes.Int32, 1, 3)) {
			t.Errorf("shapes %v", got)
		}
		p := device.NewProgram(d, "double", func(in [][]*Node) [][]*Node {
			return [][]*Node{{Add(in[0][0], in[0][0]), Neg(in[0][1])}}
		}, 0)
		defer p.Close()
		results, err := p.Call(set.Values)
		if err != nil {
			t.Fatal(err)
		}
		set.Values = results[0]
		data, err := d.Download(set.Values[1])
		if err != nil || !bytes.Equal(data[:4], []byte{0xfd, 0xff, 0xff, 0xff}) {
			t.Errorf("the bytes of -3 are %v, %v", data, err)
		}
		first := set.Values[0]
		if err := set.Finalize(); err != nil || first.Ok() || len(set.Names) != 0 {
			t.Errorf("after Finalize: %v, valid %v, names %v", err, first.Ok(), set.Names)
		}
	})
}

// UploadAll keeps the order of the names although it uploads several tensors at a time. After an error it frees all
// tensors.
func TestUploadAll(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		var names []string
		for i := range 50 {
			names = append(names, fmt.Sprint("t", i))
		}
		uploaded := make([]*tensors.Tensor, len(names))
		upload := func(i int) ([]*tensors.Tensor, bool, error) {
			x, err := d.Upload(shapes.Make(dtypes.Int32, 1), []byte{byte(i), 0, 0, 0})
			uploaded[i] = x
			return []*tensors.Tensor{x}, false, err
		}
		set, err := device.UploadAll(nil, names, upload)
		if err != nil || !slices.Equal(set.Names, names) {
			t.Fatal(err, set.Names)
		}
		for i := range names {
			if data, err := set.Download(i); err != nil || data[0] != byte(i) {
				t.Errorf("%s has elements %v (%v)", names[i], data, err)
			}
		}
		set.Finalize()

		full := errors.New("out of memory")
		_, err = device.UploadAll(nil, names, func(i int) ([]*tensors.Tensor, bool, error) {
			if i == 31 {
				return nil, false, full
			}
			return upload(i)
		})
		if err != full {
			t.Errorf("got %v, want %v", err, full)
		}
		for i, x := range uploaded {
			if i != 31 && x.Ok() {
				t.Errorf("%s was left on the device", names[i])
			}
		}
	})
}

func ExampleProgram() {
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		panic(err)
	}
	defer d.Close()
	// state' = state + gradient; group 0, the state, is donated.
	step := device.NewProgram(d, "step", func(in [][]*Node) [][]*Node {
		return [][]*Node{{Add(in[0][0], in[1][0])}}
	}, 0)
	defer step.Close()
	state := []*tensors.Tensor{tensors.FromValue([]float32{1, 2})}
	gradient := []*tensors.Tensor{tensors.FromValue([]float32{10, 20})}
	for range 2 {
		results, err := step.Call(state, gradient)
		if err != nil {
			panic(err)
		}
		state = results[0]
	}
	fmt.Println(state[0].Value())
	// Output: [21 42]
}
