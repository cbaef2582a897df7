package graph_test

import (
	"bytes"
	"os"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// xla returns the XLA device of the tests, or skips.
func xla(t *testing.T) *graph.Device {
	t.Helper()
	d := graphtest.Device(t)
	if d.Platform() == graph.PlatformGo {
		t.Skip("no XLA plugin on this machine")
	}
	return d
}

// openXLA opens a device of its own on the tests' plugin, with its own cache of programs.
func openXLA(t *testing.T, cache string, devices int) *graph.Device {
	t.Helper()
	d, err := graph.Open(graph.Options{Platform: xla(t).Plugin(), CacheDir: cache, Devices: devices, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// adamLike has the buffers of an optimizer's step: weights and two moments in place, gradients given up, a frozen group kept.
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

func constants(t *testing.T, d *graph.Device, n, size int, value float32) []*tensors.Tensor {
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

func float32Bytes(x float32) []byte {
	one := tensors.FromScalar(x)
	var data []byte
	one.ConstBytes(func(b []byte) { data = bytes.Clone(b) })
	return data
}

func TestDonationUpdatesInPlace(t *testing.T) {
	d := xla(t)
	const n, size = 4, 4 << 20 // four tensors of 16 MiB in each group
	p := graph.NewProgram(d, "adam_like", adamLike, 0, 1, 2, 3)
	defer p.Close()
	group := func(value float32) []*tensors.Tensor { return constants(t, d, n, size, value) }
	w, m, v, frozen := group(1), group(0), group(0), group(2)
	info, err := p.Compile(shapesOf(w), shapesOf(m), shapesOf(v), shapesOf(w), shapesOf(frozen))
	if err != nil {
		t.Fatal(err)
	}
	const groupBytes = n * size * 4
	if info.Aliases != 3*groupBytes || info.Inputs < 5*groupBytes || info.Outputs < 3*groupBytes || info.Temp > groupBytes/8 {
		t.Errorf("sizes %+v: want aliases %d, hardly any temp", info, 3*groupBytes)
	}
	t.Logf("compiled: %+v", info)
	before := peakRSS(t)
	start := time.Now()
	const steps = 4
	for range steps {
		old := [][]uintptr{addresses(t, d, w), addresses(t, d, m), addresses(t, d, v)}
		results, err := p.Call(w, m, v, constants(t, d, n, size, 3), frozen)
		if err != nil {
			t.Fatal(err)
		}
		w, m, v = results[0], results[1], results[2]
		if now := [][]uintptr{addresses(t, d, w), addresses(t, d, m), addresses(t, d, v)}; !reflect.DeepEqual(old, now) {
			t.Errorf("the state moved from %x to %x", old, now)
		}
	}
	t.Logf("peak RSS grew by %d MiB over %d steps of a state of %d MiB, %v a step with the upload of %d MiB of gradients",
		(peakRSS(t)-before)>>20, steps, 3*groupBytes>>20, time.Since(start)/steps, groupBytes>>20)
	for _, x := range frozen {
		if got := floats(t, x); got[0] != 2 || got[size-1] != 2 {
			t.Errorf("a tensor that was not donated changed to %v", got[0])
		}
	}
	wantM := 4 * (1 - 1.0/16) // m = 0.5 m + 0.5 * 4, four times
	if got := floats(t, m[n-1])[size-1]; got != float32(wantM) {
		t.Errorf("first moment %v, want %v", got, wantM)
	}
}

// TestDonorKept runs a program whose donors are not donated at execution: XLA has to copy, and must leave them as they are. The
// second time the program comes from the cache.
func TestDonorKept(t *testing.T) {
	for _, devices := range []int{1, 4} {
		t.Run(strconv.Itoa(devices), func(t *testing.T) {
			if devices > 1 && xla(t).Platform() != graph.PlatformCPU {
				t.Skip("only CPUs show any number of devices")
			}
			dir := t.TempDir()
			for _, cached := range []bool{false, true} {
				d := openXLA(t, dir, devices)
				defer d.Close()
				if d.NumDevices() != devices {
					t.Fatalf("%d devices, want %d", d.NumDevices(), devices)
				}
				g, shard := addGraph(t, d, 8, 1024)
				defer g.Finalize()
				for _, donate := range []bool{false, true, false} {
					runAdd(t, d, g, shard, donate)
				}
				compiled := d.Compiled()
				if len(compiled) != 1 || compiled[0].Aliases != shard.ByteSize() || compiled[0].Cached != cached {
					t.Errorf("compiled %+v, want one program, cached %v, with aliases of %d bytes on each device", compiled, cached, shard.ByteSize())
				}
			}
		})
	}
}

// runAdd adds 1 and 2 on all devices and checks the sum and what remains of the arguments.
func runAdd(t *testing.T, d *graph.Device, g *Graph, shard shapes.Shape, donate bool) {
	t.Helper()
	var inputs []compute.Buffer
	var donated []bool
	for i := range d.NumDevices() { // device-major
		inputs = append(inputs, upload(t, d, i, shard, 1), upload(t, d, i, shard, 2))
		donated = append(donated, donate, false)
	}
	for i, out := range g.RunWithBuffers(inputs, donated, 0) {
		if got := floats(t, out); got[0] != 3 || got[len(got)-1] != 3 {
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

// addGraph adds two matrices, the first a donor, with rows split over all devices. It returns the shape on one device.
func addGraph(t *testing.T, d *graph.Device, rows, columns int) (*Graph, shapes.Shape) {
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

func upload(t *testing.T, d *graph.Device, device int, shape shapes.Shape, value float32) compute.Buffer {
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

// addresses returns where tensors of float32 lie in the device's memory.
func addresses(t *testing.T, d *graph.Device, group []*tensors.Tensor) []uintptr {
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

func shapesOf(group []*tensors.Tensor) []shapes.Shape {
	return (&graph.Tensors{Values: group}).Shapes()
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
