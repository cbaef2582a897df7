package graph_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
)

// productCase is a batch of products of matrices [rows, terms] and [columns, terms], either of which may be transposed.
type productCase struct {
	batch, rows, columns, terms     int
	leftTransposed, rightTransposed bool
	from, to                        dtypes.DType
}

// dims returns the dimensions of an operand with the given number of rows, and the axis of its terms.
func (c productCase) dims(rows int, transposed bool) (dims []int, axis int) {
	if c.batch > 1 {
		dims = []int{c.batch}
	}
	if transposed {
		return append(dims, c.terms, rows), len(dims)
	}
	return append(dims, rows, c.terms), len(dims) + 1
}

// product multiplies left and right, converted to dtype from, in dtype to.
func (c productCase) product(left, right *Node) *Node {
	_, l := c.dims(c.rows, c.leftTransposed)
	_, r := c.dims(c.columns, c.rightTransposed)
	batch := []int{0}[:left.Rank()-2]
	dot := Dot(ConvertDType(left, c.from), ConvertDType(right, c.from)).WithAccumulatorDType(dtypes.InvalidDType)
	if c.to != c.from {
		dot = dot.WithOutputDType(c.to)
	}
	return ConvertDType(dot.General([]int{l}, batch, []int{r}, batch), dtypes.Float32)
}

// want computes the products in float64.
func (c productCase) want(left, right []float32) []float32 {
	at := func(m []float32, matrix, rows, row, term int, transposed bool) float64 {
		if transposed {
			return float64(m[(matrix*c.terms+term)*rows+row])
		}
		return float64(m[(matrix*rows+row)*c.terms+term])
	}
	var out []float32
	for n := range c.batch {
		for i := range c.rows {
			for j := range c.columns {
				sum := 0.0
				for k := range c.terms {
					sum += at(left, n, c.rows, i, k, c.leftTransposed) *
						at(right, n, c.columns, j, k, c.rightTransposed)
				}
				out = append(out, float32(sum))
			}
		}
	}
	return out
}

// roundToBF16 rounds float32 values to the nearest bfloat16 values.
func roundToBF16(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		bits := math.Float32bits(v)
		y[i] = math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
	}
	return y
}

// productCases returns products of large matrices in both layouts, and of a few rows as in decoding, in all dtypes.
func productCases() []productCase {
	const bf16, f32 = dtypes.BFloat16, dtypes.Float32
	var cases []productCase
	add := func(c productCase) {
		for _, types := range [][2]dtypes.DType{{bf16, f32}, {bf16, bf16}, {f32, f32}} {
			c.from, c.to = types[0], types[1]
			cases = append(cases, c)
		}
	}
	for _, c := range []productCase{
		{batch: 1, rows: 64, columns: 160, terms: 128}, // fills the kernel's blocks
		{batch: 1, rows: 201, columns: 77, terms: 93},
		{batch: 3, rows: 70, columns: 129, terms: 130},
		{batch: 1, rows: 33, columns: 70, terms: 5003}, // the terms are summed in several blocks
		{batch: 1, rows: 70, columns: 40, terms: 33005},
		{batch: 3, rows: 33, columns: 40, terms: 12001},
	} {
		for layout := range 4 {
			c.leftTransposed, c.rightTransposed = layout&1 == 1, layout&2 == 2
			add(c)
		}
	}
	add(productCase{batch: 1, rows: 1, columns: 1031, terms: 333})
	add(productCase{batch: 1, rows: 7, columns: 577, terms: 480})
	add(productCase{batch: 1, rows: 16, columns: 512, terms: 1024})
	return cases
}

// Products equal their definition for sizes that fill the kernel's blocks or not, for both layouts of either operand,
// and in concurrent calls.
func TestProducts(t *testing.T) {
	d := graphtest.XLA(t)
	for _, c := range productCases() {
		name := fmt.Sprintf("%dx%dx%dx%d %v %v %s %s",
			c.batch, c.rows, c.columns, c.terms, c.leftTransposed, c.rightTransposed, c.from, c.to)
		t.Run(name, func(t *testing.T) { checkProduct(t, d, c) })
	}
}

// checkProduct compares four concurrent calls of one product with its definition, and with each other.
func checkProduct(t *testing.T, d *device.Device, c productCase) {
	t.Helper()
	leftDims, _ := c.dims(c.rows, c.leftTransposed)
	rightDims, _ := c.dims(c.columns, c.rightTransposed)
	left, right := graphtest.Random(1, leftDims...), graphtest.Random(2, rightDims...)
	a, b := graphtest.Floats(t, left), graphtest.Floats(t, right)
	bound := 1e-5                  // products of 16 significant bits
	if c.from == dtypes.BFloat16 { // rounded here already, since a compiler may leave out the conversion
		a, b = roundToBF16(a), roundToBF16(b)
		left = tensors.FromFlatDataAndDimensions(a, leftDims...)
		right = tensors.FromFlatDataAndDimensions(b, rightDims...)
		bound = max(2e-7, 2e-9*math.Sqrt(float64(c.terms))) // the rounding error of a sum grows with the root
		if d.Platform() != device.PlatformCPU || !kernels.Available() && (!kernels.ProductAvailable() || c.rows <= 16) {
			bound = 2e-6 // XLA adds the terms in another order
		}
	}
	if c.to == dtypes.BFloat16 {
		bound = 3e-3
	}
	p := device.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
		return [][]*Node{{c.product(in[0][0], in[0][1])}}
	}).WithBF16x3()
	defer p.Close()
	var results [4][]float32
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			if out, err := p.Call([]*tensors.Tensor{left, right}); err != nil {
				t.Error(err)
			} else {
				results[i] = graphtest.Floats(t, out[0][0])
			}
		})
	}
	group.Wait()
	if r := graphtest.RelativeError(results[0], c.want(a, b)); !(r <= bound) {
		t.Errorf("relative error %g, want at most %g", r, bound)
	}
	for _, other := range results[1:] {
		if !slices.Equal(other, results[0]) {
			t.Error("two calls gave different results")
		}
	}
}

// openWithKernels opens a CPU device that records the operations of programs, and skips the test if this machine has no
// kernels.
func openWithKernels(t *testing.T) *device.Device {
	t.Helper()
	if graphtest.XLA(t).Platform() != device.PlatformCPU || !kernels.Available() {
		t.Skip("no kernels for this device")
	}
	d, err := device.Open(device.Options{Platform: graphtest.XLA(t).Plugin(), Inspect: true, Log: graphtest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// With the kernel for few rows, each row of a product is bit-equal to the product of that row alone.
func TestFewRows(t *testing.T) {
	d := openWithKernels(t)
	const rows, columns, terms = 13, 1030, 300
	x, w := graphtest.Random(1, rows, terms), graphtest.Random(2, columns, terms)
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		p := device.NewProgram(d, "rows", func(in [][]*Node) [][]*Node {
			y := graph.Linear(ConvertDType(in[0][0], dtype), ConvertDType(in[0][1], dtype))
			return [][]*Node{{ConvertDType(y, dtypes.Float32)}}
		})
		defer p.Close()
		compiled, err := p.Compile([]shapes.Shape{x.Shape(), w.Shape()})
		if err != nil {
			t.Fatal(err)
		}
		isRows := func(o hlo.Operation) bool { return o.Name == "bfpo_rows" }
		if !slices.ContainsFunc(compiled.Work.Operations, isRows) {
			t.Errorf("%s: no call: %v", dtype, compiled.Work.Operations)
		}
		multiply := func(x *tensors.Tensor) []float32 {
			out, err := p.Call([]*tensors.Tensor{x, w})
			if err != nil {
				t.Fatal(err)
			}
			return graphtest.Floats(t, out[0][0])
		}
		all := multiply(x)
		for i := range rows {
			one := tensors.FromFlatDataAndDimensions(graphtest.Floats(t, x)[i*terms:(i+1)*terms], 1, terms)
			if got := multiply(one); !slices.Equal(got, all[i*columns:(i+1)*columns]) {
				t.Errorf("%s: row %d of the product differs from the product of row %d alone", dtype, i, i)
			}
		}
	}
}

// A device with TF32 rounds the operands of float32 products: on GPUs to 11 significant bits, on CPUs with AMX to 16. A
// device without TF32 does not round them.
func TestTF32(t *testing.T) {
	exact := graphtest.XLA(t)
	tf32, err := device.Open(device.Options{Platform: exact.Plugin(), TF32: true, Log: graphtest.Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer tf32.Close()
	c := productCase{batch: 1, rows: 40, columns: 48, terms: 96}
	operands := func() []*tensors.Tensor {
		return []*tensors.Tensor{graphtest.Random(1, c.rows, c.terms), graphtest.Random(2, c.columns, c.terms)}
	}
	want := c.want(graphtest.Floats(t, operands()[0]), graphtest.Floats(t, operands()[1]))
	for _, d := range []*device.Device{exact, tf32} {
		p := device.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
			return [][]*Node{{graph.Linear(in[0][0], in[0][1])}}
		})
		defer p.Close()
		out, err := p.Call(operands())
		if err != nil {
			t.Fatal(err)
		}
		r := graphtest.RelativeError(graphtest.Floats(t, out[0][0]), want)
		bound, rounds := 5e-7, false
		switch {
		case d == tf32 && d.Platform() == device.PlatformCUDA:
			bound, rounds = 1e-3, true
		case d == tf32:
			bound, rounds = 1e-5, kernels.AMX()
		}
		if !(r <= bound) {
			t.Errorf("relative error %g, want at most %g", r, bound)
		}
		if rounds && r < 1e-6 {
			t.Errorf("relative error %g: the operands were not rounded", r)
		}
	}
}
