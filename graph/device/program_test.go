package device_test

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// update returns state + rate*gradient and, as a second group, the sums of the old state.
func update(in [][]*Node) [][]*Node {
	state, gradient, rate := in[0], in[1], in[2][0]
	var next, sums []*Node
	for i := range state {
		next = append(next, Add(state[i], Mul(rate, gradient[i])))
		sums = append(sums, ReduceAllSum(state[i]))
	}
	return [][]*Node{next, sums}
}

func TestProgramCall(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		p := device.NewProgram(d, "update", update, 0)
		defer p.Close()
		state := []*tensors.Tensor{tensors.FromValue([]float32{1, 2}), tensors.FromValue([][]float32{{3}, {4}})}
		gradient := []*tensors.Tensor{tensors.FromValue([]float32{10, 20}), tensors.FromValue([][]float32{{30}, {40}})}
		rate := []*tensors.Tensor{tensors.FromScalar(float32(0.5))}
		for step := range 3 {
			results, err := p.Call(state, gradient, rate)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range state {
				if s.Ok() {
					t.Error("a donated tensor is still valid")
				}
			}
			state = results[0]
			wantSum := 3 + 15*float32(step)
			if got := graphtest.Floats(t, results[1][0]); got[0] != wantSum {
				t.Errorf("step %d: sum %v, want %v", step, got[0], wantSum)
			}
		}
		if got := graphtest.Floats(t, state[1]); got[0] != 3+3*15 || got[1] != 4+3*20 {
			t.Errorf("state %v, want [48 64]", got)
		}
		if got := graphtest.Floats(t, gradient[1]); got[0] != 30 || got[1] != 40 {
			t.Errorf("gradient %v after the calls, want it unchanged", got)
		}
	})
}

func TestProgramShapes(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		builds := 0
		p := device.NewProgram(d, "double", func(in [][]*Node) [][]*Node {
			builds++
			return [][]*Node{{Add(in[0][0], in[0][0])}}
		})
		defer p.Close()
		if _, err := p.Compile([]shapes.Shape{shapes.Make(dtypes.Float32, 2)}); err != nil {
			t.Fatal(err)
		}
		for _, x := range [][]float32{{1, 2}, {1, 2, 3}, {4, 5}, {6, 7, 8}} {
			results, err := p.Call([]*tensors.Tensor{tensors.FromValue(x)})
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range graphtest.Floats(t, results[0][0]) {
				if got != 2*x[i] {
					t.Errorf("twice %v = %v at %d", x, got, i)
				}
			}
		}
		if builds != 2 {
			t.Errorf("build was called %d times for two shapes", builds)
		}
	})
}

// bfloat16 matrices can be multiplied with GoMLX's plain Dot. The infinity must stay in its column: go-xla adds 0
// times an element of one operand to the other, which package pjrt removes again.
func TestHalfProducts(t *testing.T) {
	d := graphtest.XLA(t)
	p := device.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
		x, w := ConvertDType(in[0][0], dtypes.BFloat16), ConvertDType(in[0][1], dtypes.BFloat16)
		return [][]*Node{{Dot(x, w).WithOutputDType(dtypes.Float32).Product()}}
	})
	defer p.Close()
	inf := float32(math.Inf(1))
	x, w := tensors.FromValue([][]float32{{1, 2}, {3, 4}}), tensors.FromValue([][]float32{{inf, 5, 6}, {7, 8, 9}})
	results, err := p.Call([]*tensors.Tensor{x, w})
	if err != nil {
		t.Fatal(err)
	}
	want := []float32{inf, 5 + 16, 6 + 18, inf, 15 + 32, 18 + 36}
	if got := graphtest.Floats(t, results[0][0]); !slices.Equal(got, want) {
		t.Errorf("product %v, want %v", got, want)
	}
}

// WithBF16x3 computes float32 products with the rounding error of operands of 16 significant bits.
func TestProgramWithBF16x3(t *testing.T) {
	d := graphtest.Device(t)
	build := func(in [][]*Node) [][]*Node {
		x, gate, up, down := in[0][0], in[0][1], in[0][2], in[0][3]
		return [][]*Node{{Add(x, graph.Linear(Mul(graph.Linear(x, gate), graph.Linear(x, up)), down))}}
	}
	args := []*tensors.Tensor{
		graphtest.Random(1, 48, 576), graphtest.Random(2, 1536, 576), graphtest.Random(3, 1536, 576),
		graphtest.Random(4, 576, 1536),
	}
	var results [2][]float32
	programs := []*device.Program{
		device.NewProgram(d, "plain", build), device.NewProgram(d, "bf16x3", build).WithBF16x3(),
	}
	for i, p := range programs {
		for range 2 {
			out, err := p.Call(args)
			if err != nil {
				t.Fatal(err)
			}
			results[i] = graphtest.Floats(t, out[0][0])
		}
		p.Close()
	}
	if r := graphtest.RelativeError(results[1], results[0]); r > 2e-5 {
		t.Errorf("relative error %g", r)
	} else {
		t.Logf("relative error %g", r)
	}
}
