package graph_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// meshes returns all kinds of meshes of a number of devices.
func meshes(t *testing.T, devices int, rules device.ShardRules) []*device.Mesh {
	t.Helper()
	var all []*device.Mesh
	for _, text := range []string{"data", "zero1", "fsdp", fmt.Sprintf("data=2,fsdp=%d", devices/2)} {
		m, err := device.ParseMesh(text, devices, rules)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// openCPUDevices opens a number of CPU devices, and skips the test if the platform is another one.
func openCPUDevices(t *testing.T, devices int) *device.Device {
	t.Helper()
	if graphtest.XLA(t).Platform() != device.PlatformCPU {
		t.Skip("only the CPU platform can show any number of devices")
	}
	d := graphtest.OpenXLA(t, t.TempDir(), devices)
	t.Cleanup(d.Close)
	return d
}

// meshNetwork is a small network with its weights and inputs, for comparing meshes.
type meshNetwork struct {
	names  []string
	dims   map[string][]int
	values map[string][]float32
	ids    []int32 // of all rows
}

// upload returns the weights on a mesh, as frozen or as trained ones.
func (n meshNetwork) upload(t *testing.T, d *device.Device, m *device.Mesh, frozen bool) *device.TensorSet {
	t.Helper()
	set := &device.TensorSet{Mesh: m}
	for _, name := range n.names {
		values, dims := n.values[name], n.dims[name]
		sharded := m.IsSharded(name, dims)
		if frozen {
			sharded = m.IsFrozenSharded(name, dims)
		}
		rowSize := len(values) / dims[0]
		read := func(from, to int) ([]byte, error) { return floatBytes(values[from*rowSize : to*rowSize]), nil }
		onDevices, err := d.UploadOnMesh(m, shapes.Make(dtypes.Float32, dims...), sharded, read)
		if err != nil {
			t.Fatal(err)
		}
		set.AddOnMesh(name, onDevices, sharded)
	}
	return set
}

// run runs the network with its rows spread over a mesh. It returns the gradients and, as one number, the loss plus
// 1000 times their norm.
func (n meshNetwork) run(t *testing.T, d *device.Device, m *device.Mesh) (gradients map[string][]byte, loss float32) {
	t.Helper()
	base, masters := n.upload(t, d, m, true), n.upload(t, d, m, false)
	p := device.NewProgram(d, "network", func(in [][]*Node) [][]*Node {
		w := graph.NewWeights(n.names, in[0]).OnMesh(base, masters).WithMasters(n.names, in[1])
		x := Gather(w.Get("table.weight"), InsertAxes(in[2][0], -1)) // [rows, in]
		x = graph.RMSNorm(x, w.Get("norm.weight"), 1e-5)
		x = Sin(w.Linear(x, "up.weight", dtypes.Float32)) // [rows, out]
		y := Mul(x, Add(w.Base().Linear(Slice(x, AxisRange(), AxisRange(0, 6)), "up.weight", dtypes.Float32), x))
		sums := graph.AllReduceSum(m, Gradient(ReduceAllSum(y), in[1]...), masters)
		loss := graph.AllReduceSum(m, []*Node{ReduceAllSum(y)}, &device.TensorSet{})[0]
		return [][]*Node{sums, {loss, graph.GlobalNormOnMesh(sums, masters)}}
	}).OnMesh(m)
	defer p.Close()
	var batches device.Group
	rows := len(n.ids) / m.Devices()
	for device := range m.Devices() {
		batch := tensors.FromFlatDataAndDimensions(n.ids[device*rows:(device+1)*rows], rows)
		batches = append(batches, []*tensors.Tensor{batch})
	}
	out, err := p.Run(base.Group(), masters.Group(), batches)
	if err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	sums := &device.TensorSet{Names: n.names, Mesh: m, Sharded: masters.Sharded}
	sums.Replace(out[0])
	gradients = map[string][]byte{}
	for i, name := range n.names {
		if gradients[name], err = sums.Download(i); err != nil {
			t.Fatal(err)
		}
	}
	sum, norm := out[1][0][0], out[1][len(out[1])-1][1]
	return gradients, tensors.ToScalar[float32](sum) + 1000*tensors.ToScalar[float32](norm)
}

// floatBytes returns float32 values in little-endian order.
func floatBytes(values []float32) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

// The loss, the gradients and their norm of a small network are the same on one device and on four that share the rows.
func TestMeshGradient(t *testing.T) {
	const devices, rows, in, out = 4, 3, 6, 8
	n := meshNetwork{
		names:  []string{"table.weight", "norm.weight", "up.weight"},
		dims:   map[string][]int{"table.weight": {out, in}, "norm.weight": {in}, "up.weight": {out, in}},
		values: map[string][]float32{},
	}
	for k, name := range n.names {
		for i := range shapes.Make(dtypes.Float32, n.dims[name]...).Size() {
			n.values[name] = append(n.values[name], float32(math.Sin(float64(7*k+i)*0.37)))
		}
	}
	for i := range devices * rows {
		n.ids = append(n.ids, int32(5*i+2)%out)
	}
	d := openCPUDevices(t, devices)
	want, wantLoss := n.run(t, d, nil)
	for _, m := range meshes(t, devices, device.ShardRules{"up.weight", "table.weight"}) {
		got, loss := n.run(t, d, m)
		if math.Abs(float64(loss-wantLoss)) > 1e-6*math.Abs(float64(wantLoss)) {
			t.Errorf("%s: loss + 1000 norm = %v, want %v as on one device", m, loss, wantLoss)
		}
		for _, name := range n.names {
			if worst := maxError(got[name], want[name]); len(got[name]) != len(want[name]) || worst > 2e-6 {
				t.Errorf("%s: gradient of %s: relative error %g", m, name, worst)
			}
		}
	}
}

// maxError returns the largest difference between the float32 values in got and want, relative to want's largest value.
func maxError(got, want []byte) float64 {
	worst, top := 0.0, 0.0
	for i := 0; i+3 < min(len(got), len(want)); i += 4 {
		at := func(x []byte) float64 {
			return float64(math.Float32frombits(binary.LittleEndian.Uint32(x[i:])))
		}
		worst, top = max(worst, math.Abs(at(got)-at(want))), max(top, math.Abs(at(want)))
	}
	return worst / top
}
