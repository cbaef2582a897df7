package graph_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// productCase is a product of number matrices [rows, terms] and [columns, terms], either of which may lie the other way round.
type productCase struct {
	number, rows, columns, terms int
	leftAcross, rightAcross      bool
	from, to                     dtypes.DType
}

// dims returns the dimensions of a matrix of so many rows, and the axis of its terms.
func (c productCase) dims(rows int, across bool) (dims []int, axis int) {
	if c.number > 1 {
		dims = []int{c.number}
	}
	if across {
		return append(dims, c.terms, rows), len(dims)
	}
	return append(dims, rows, c.terms), len(dims) + 1
}

func (c productCase) product(left, right *Node) *Node {
	_, l := c.dims(c.rows, c.leftAcross)
	_, r := c.dims(c.columns, c.rightAcross)
	batch := []int{0}[:left.Rank()-2]
	dot := Dot(ConvertDType(left, c.from), ConvertDType(right, c.from)).WithAccumulatorDType(dtypes.InvalidDType)
	if c.to != c.from {
		dot = dot.WithOutputDType(c.to)
	}
	return ConvertDType(dot.General([]int{l}, batch, []int{r}, batch), dtypes.Float32)
}

// want computes it in float64, from numbers that bfloat16 has.
func (c productCase) want(left, right []float32) []float32 {
	at := func(m []float32, number, rows, row, term int, across bool) float64 {
		if across {
			return float64(m[(number*c.terms+term)*rows+row])
		}
		return float64(m[(number*rows+row)*c.terms+term])
	}
	var out []float32
	for n := range c.number {
		for i := range c.rows {
			for j := range c.columns {
				sum := 0.0
				for k := range c.terms {
					sum += at(left, n, c.rows, i, k, c.leftAcross) * at(right, n, c.columns, j, k, c.rightAcross)
				}
				out = append(out, float32(sum))
			}
		}
	}
	return out
}

// rounded returns numbers as bfloat16 has them.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		bits := math.Float32bits(v)
		y[i] = math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
	}
	return y
}

// Matrices of sizes that fill no block and of sizes that do are multiplied as defined, whichever way they lie, also by several callers at once.
func TestProducts(t *testing.T) {
	d := xla(t)
	var cases []productCase
	for _, size := range []productCase{
		{number: 1, rows: 64, columns: 160, terms: 128}, {number: 1, rows: 201, columns: 77, terms: 93}, {number: 3, rows: 70, columns: 129, terms: 130},
		{number: 1, rows: 33, columns: 70, terms: 5003},                                                    // sums in pieces
		{number: 1, rows: 70, columns: 40, terms: 33005}, {number: 3, rows: 33, columns: 40, terms: 12001}, // and these in rounds
	} {
		for lie := range 4 {
			for _, types := range [][2]dtypes.DType{{dtypes.BFloat16, dtypes.Float32}, {dtypes.BFloat16, dtypes.BFloat16}, {dtypes.Float32, dtypes.Float32}} {
				c := size
				c.leftAcross, c.rightAcross, c.from, c.to = lie&1 == 1, lie&2 == 2, types[0], types[1]
				cases = append(cases, c)
			}
		}
	}
	for _, size := range []productCase{{rows: 1, columns: 1031, terms: 333}, {rows: 7, columns: 577, terms: 480}, {rows: 16, columns: 512, terms: 1024}} {
		for _, types := range [][2]dtypes.DType{{dtypes.BFloat16, dtypes.Float32}, {dtypes.BFloat16, dtypes.BFloat16}, {dtypes.Float32, dtypes.Float32}} {
			cases = append(cases, productCase{number: 1, rows: size.rows, columns: size.columns, terms: size.terms, from: types[0], to: types[1]})
		}
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%dx%dx%dx%d %v %v %s %s", c.number, c.rows, c.columns, c.terms, c.leftAcross, c.rightAcross, c.from, c.to), func(t *testing.T) {
			leftDims, _ := c.dims(c.rows, c.leftAcross)
			rightDims, _ := c.dims(c.columns, c.rightAcross)
			left, right := random(1, leftDims...), random(2, rightDims...)
			a, b := floats(t, left), floats(t, right)
			bound := 1e-5                  // of 16 bits
			if c.from == dtypes.BFloat16 { // already rounded, lest a compiler leaves that out
				a, b, bound = rounded(a), rounded(b), max(2e-7, 2e-9*math.Sqrt(float64(c.terms))) // as errors of sums grow
				left, right = tensors.FromFlatDataAndDimensions(a, leftDims...), tensors.FromFlatDataAndDimensions(b, rightDims...)
				if d.Platform() != graph.PlatformCPU || !kernels.Available() {
					bound = 2e-6 // the order of the sums is not ours
				}
			}
			p := graph.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
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
						results[i] = floats(t, out[0][0])
					}
				})
			}
			group.Wait()
			if c.to == dtypes.BFloat16 {
				bound = 3e-3
			}
			if r := relative(results[0], c.want(a, b)); !(r <= bound) {
				t.Errorf("relative difference %g", r)
			}
			for _, again := range results[1:] {
				if !slices.Equal(again, results[0]) {
					t.Error("not the same twice")
				}
			}
		})
	}
}

// inspectedKernels returns a CPU device with kernels of its own that lists what programs compute; the test is skipped where there is none.
func inspectedKernels(t *testing.T) *graph.Device {
	t.Helper()
	if xla(t).Platform() != graph.PlatformCPU || !kernels.Available() {
		t.Skip("no kernels for this device")
	}
	d, err := graph.Open(graph.Options{Platform: xla(t).Plugin(), Inspect: true, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// Of a few rows each becomes what it would be alone, to the last bit, where that is a call.
func TestFewRows(t *testing.T) {
	d := inspectedKernels(t)
	const rows, columns, terms = 13, 1030, 300
	x, w := random(1, rows, terms), random(2, columns, terms)
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		p := graph.NewProgram(d, "rows", func(in [][]*Node) [][]*Node {
			y := graph.Linear(ConvertDType(in[0][0], dtype), ConvertDType(in[0][1], dtype))
			return [][]*Node{{ConvertDType(y, dtypes.Float32)}}
		})
		defer p.Close()
		compiled, err := p.Compile([]shapes.Shape{x.Shape(), w.Shape()})
		if err != nil {
			t.Fatal(err)
		}
		if o := compiled.Work.Operations; !slices.ContainsFunc(o, func(o hlo.Operation) bool { return o.Name == "bfpo_rows" }) {
			t.Errorf("%s: no call: %v", dtype, o)
		}
		multiply := func(x *tensors.Tensor) []float32 {
			out, err := p.Call([]*tensors.Tensor{x, w})
			if err != nil {
				t.Fatal(err)
			}
			return floats(t, out[0][0])
		}
		all := multiply(x)
		for i := range rows {
			one := tensors.FromFlatDataAndDimensions(floats(t, x)[i*terms:(i+1)*terms], 1, terms)
			if got := multiply(one); !slices.Equal(got, all[i*columns:(i+1)*columns]) {
				t.Errorf("%s: row %d is not what it is alone", dtype, i)
			}
		}
	}
}

// A device with TF32 rounds the numbers of float32 products: on GPUs to 11 bits, on CPUs with AMX to 16. One without does not.
func TestTF32(t *testing.T) {
	exact := xla(t)
	tf32, err := graph.Open(graph.Options{Platform: exact.Plugin(), TF32: true, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer tf32.Close()
	c := productCase{number: 1, rows: 40, columns: 48, terms: 96}
	a, b := floats(t, random(1, c.rows, c.terms)), floats(t, random(2, c.columns, c.terms))
	want := c.want(a, b)
	for _, d := range []*graph.Device{exact, tf32} {
		p := graph.NewProgram(d, "product", func(in [][]*Node) [][]*Node { return [][]*Node{{graph.Linear(in[0][0], in[0][1])}} })
		defer p.Close()
		out, err := p.Call([]*tensors.Tensor{tensors.FromFlatDataAndDimensions(a, c.rows, c.terms), tensors.FromFlatDataAndDimensions(b, c.columns, c.terms)})
		if err != nil {
			t.Fatal(err)
		}
		got := floats(t, out[0][0])
		r := relative(got, want)
		bound, rounds := 5e-7, false
		switch {
		case d == tf32 && d.Platform() == graph.PlatformCUDA:
			bound, rounds = 1e-3, true
		case d == tf32:
			bound, rounds = 1e-5, kernels.AMX()
		}
		if !(r <= bound) {
			t.Errorf("relative difference %g, want %g at most", r, bound)
		}
		if rounds && r < 1e-6 {
			t.Errorf("relative difference %g: nothing was rounded", r)
		}
	}
}
