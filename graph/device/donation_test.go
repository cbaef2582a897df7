package device_test

import (
	"bytes"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// adamLike has the buffers of an optimizer step: weights and two moments, which are updated in place, gradients,
// which are donated, and a frozen group, which is kept.
func adamLike(in [][]*Node) [][]*Node {
	w, m, v, gradient, frozen := in[0], in[1], in[2], in[3], in[4]
	var nextW, nextM, nextV []*Node
	for i := range w {
		g := Add(gradient[i], MulScalar(frozen[i], 0.5))
		moments := OptimizationBarriers(
			Add(MulScalar(m[i], 0.5), MulScalar(g, 0.5)),
			Add(MulScalar(v[i], 0.5), MulScalar(Mul(g, g), 0.5)))
		nextM, nextV = append(nextM, moments[0]), append(nextV, moments[1])
		nextW = append(nextW, Sub(w[i], Div(nextM[i], AddScalar(Sqrt(nextV[i]), 1))))
	}
	return [][]*Node{nextW, nextM, nextV}
}

// constants returns n tensors on the device, of size elements each, all equal to value.
func constants(t *testing.T, d *device.Device, n, size int, value float32) []*tensors.Tensor {
	t.Helper()
	group := make([]*tensors.Tensor, n)
	for i := range group {
		var err error
		data := bytes.Repeat(float32Bytes(value), size)
		if group[i], err = d.Upload(shapes.Make(dtypes.Float32, size), data); err != nil {
			t.Fatal(err)
		}
	}
	return group
}

// float32Bytes returns the bytes of one float32.
func float32Bytes(x float32) []byte {
	one := tensors.FromScalar(x)
	var data []byte
	one.ConstBytes(func(b []byte) { data = bytes.Clone(b) })
	return data
}

// A program that donates its state updates it in place: the tensors keep their addresses, and XLA needs hardly any
// scratch memory.
func TestDonationUpdatesInPlace(t *testing.T) {
	d := graphtest.XLA(t)
	const n, size = 4, 4 << 20 // each group has four tensors of 16 MiB
	p := device.NewProgram(d, "adam_like", adamLike, 0, 1, 2, 3)
	defer p.Close()
	group := func(value float32) []*tensors.Tensor { return constants(t, d, n, size, value) }
	w, m, v, frozen := group(1), group(0), group(0), group(2)
	info, err := p.Compile(shapesOf(w), shapesOf(m), shapesOf(v), shapesOf(w), shapesOf(frozen))
	if err != nil {
		t.Fatal(err)
	}
	const groupBytes = n * size * 4
	if info.Aliases != 3*groupBytes || info.Inputs < 5*groupBytes || info.Outputs < 3*groupBytes ||
		info.Temp > groupBytes/8 {
		t.Errorf("sizes %+v: want aliases %d and hardly any scratch memory", info, 3*groupBytes)
	}
	t.Logf("compiled: %+v", info)
	before := peakRSS(t)
	start := time.Now()
	const steps = 4
	for range steps {
		stateAddresses := func() [][]uintptr {
			return [][]uintptr{addresses(t, d, w), addresses(t, d, m), addresses(t, d, v)}
		}
		old := stateAddresses()
		results, err := p.Call(w, m, v, constants(t, d, n, size, 3), frozen)
		if err != nil {
			t.Fatal(err)
		}
		w, m, v = results[0], results[1], results[2]
		if now := stateAddresses(); !reflect.DeepEqual(old, now) {
			t.Errorf("the state moved from %x to %x", old, now)
		}
	}
	t.Logf("peak RSS grew by %d MiB in %d steps with a state of %d MiB; %v per step, which uploads %d MiB of gradients",
		(peakRSS(t)-before)>>20, steps, 3*groupBytes>>20, time.Since(start)/steps, groupBytes>>20)
	for _, x := range frozen {
		if got := graphtest.Floats(t, x); got[0] != 2 || got[size-1] != 2 {
			t.Errorf("a tensor that was not donated changed to %v", got[0])
		}
	}
	wantM := 4 * (1 - 1.0/16) // m = 0.5 m + 0.5 * 4, four times
	if got := graphtest.Floats(t, m[n-1])[size-1]; got != float32(wantM) {
		t.Errorf("first moment %v, want %v", got, wantM)
	}
}

// A program whose first argument is a donor also runs when that argument is not donated: XLA then copies it and
// leaves the original as it is. The second time, the program comes from the cache.
func TestDonorKept(t *testing.T) {
	for _, devices := range []int{1, 4} {
		t.Run(strconv.Itoa(devices), func(t *testing.T) {
			if devices > 1 && graphtest.XLA(t).Platform() != device.PlatformCPU {
				t.Skip("only CPUs show any number of devices")
			}
			dir := t.TempDir()
			for _, cached := range []bool{false, true} {
				d := graphtest.OpenXLA(t, dir, devices)
				defer d.Close()
				if d.NumDevices() != devices {
					t.Fatalf("%d devices, want %d", d.NumDevices(), devices)
				}
				g, shard := addGraph(t, d, 8, 1024)
				defer g.Finalize()
				for _, donate := range []bool{false, true, false} {
					runAdd(t, d, g, shard, donate)
				}
				compiled := d.CompiledPrograms()
				if len(compiled) != 1 || compiled[0].Aliases != shard.ByteSize() || compiled[0].Cached != cached {
					t.Errorf("compiled %+v, want one program, cached %v, with aliases of %d bytes on each device",
						compiled, cached, shard.ByteSize())
				}
			}
		})
	}
}

// runAdd adds 1 and 2 on all devices, and checks the sum and the arguments that were not donated.
func runAdd(t *testing.T, d *device.Device, g *Graph, shard shapes.Shape, donate bool) {
	t.Helper()
	var inputs []compute.Buffer
	var donated []bool
	for i := range d.NumDevices() { // device-major
		inputs = append(inputs, upload(t, d, i, shard, 1), upload(t, d, i, shard, 2))
		donated = append(donated, donate, false)
	}
	for i, out := range g.RunWithBuffers(inputs, donated, 0) {
		if got := graphtest.Floats(t, out); got[0] != 3 || got[len(got)-1] != 3 {
			t.Errorf("donate %v: output %d is %v, want 3", donate, i, got[0])
		}
	}
	for i := 0; i < len(inputs); i += 2 {
		checkBuffer(t, inputs[i+1], 2)
		if !donate {
			checkBuffer(t, inputs[i], 1)
		}
	}
}

// addGraph returns a graph that adds two matrices with rows sharded over all devices, the first one a donor, and
// the shape on one device.
func addGraph(t *testing.T, d *device.Device, rows, columns int) (*Graph, shapes.Shape) {
	t.Helper()
	g := NewGraph(d.Backend, "add")
	whole := shapes.Make(dtypes.Float32, rows, columns)
	if d.NumDevices() == 1 {
		x := Parameter(g, mlir.DonatedPrefix+"x", whole)
		if err := g.Compile(Add(x, Parameter(g, "y", whole))); err != nil {
			t.Fatal(err)
		}
		return g, whole
	}
	mesh, err := distributed.NewDeviceMesh([]int{d.NumDevices()}, []string{"shard"})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := distributed.BuildSpec(mesh).S("shard").R().Done()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetAutoSharding(mesh); err != nil {
		t.Fatal(err)
	}
	x := ShardedParameter(g, mlir.DonatedPrefix+"x", whole, spec)
	sum := Add(x, ShardedParameter(g, "y", whole, spec))
	if err := g.CompileWithSharding([]*Node{sum}, []*distributed.ShardingSpec{spec}); err != nil {
		t.Fatal(err)
	}
	return g, shapes.Make(dtypes.Float32, rows/d.NumDevices(), columns)
}

// upload returns a buffer on a device, all of whose elements equal value.
func upload(t *testing.T, d *device.Device, device int, shape shapes.Shape, value float32) compute.Buffer {
	t.Helper()
	flat := make([]float32, shape.Size())
	for i := range flat {
		flat[i] = value
	}
	b, err := d.Backend.BufferFromFlatData(compute.DeviceNum(device), flat, shape)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkBuffer fails the test unless all elements of b equal want.
func checkBuffer(t *testing.T, b compute.Buffer, want float32) {
	t.Helper()
	shape, err := b.Shape()
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]float32, shape.Size())
	if err := b.ToFlatData(flat); err != nil {
		t.Fatal(err)
	}
	for i, x := range flat {
		if x != want {
			t.Fatalf("a buffer that was not donated has %v at %d, want %v", x, i, want)
		}
	}
}

// addresses returns the addresses of float32 tensors in the device's memory.
func addresses(t *testing.T, d *device.Device, group []*tensors.Tensor) []uintptr {
	t.Helper()
	var all []uintptr
	for _, x := range group {
		b, err := x.Buffer(d.Backend, 0)
		if err != nil {
			t.Fatal(err)
		}
		data, err := b.Data()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, reflect.ValueOf(data).Pointer())
	}
	return all
}

// shapesOf returns the shapes of a group.
func shapesOf(group []*tensors.Tensor) []shapes.Shape {
	return (&device.TensorSet{Values: group}).Shapes()
}

// peakRSS returns the process's peak resident memory in bytes.
func peakRSS(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status")
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
