package graph_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// makeSegments returns two rows of length tokens. The first holds a prompt with two responses, a second document and
// padding; the other holds short documents with padding before and after.
func makeSegments(length int) [][]int32 {
	rows := [][]int32{make([]int32, length), make([]int32, length)}
	for i := range length {
		switch at := 8 * i / length; {
		case at < 6:
			rows[0][i] = 1<<graph.BranchBits | int32(at/2)
		case at == 6:
			rows[0][i] = 2 << graph.BranchBits
		}
		if i >= length/10 && i < length-length/10 {
			rows[1][i] = int32(i/7+1) << graph.BranchBits
		}
	}
	return rows
}

// SelfAttention and its gradient equal Attention also where a kernel computes them: for all kinds of masks, for lengths
// that fill the kernel's blocks or not, with shared key heads, and in concurrent calls.
func TestAttentionCalls(t *testing.T) {
	d := graphtest.XLA(t)
	for _, c := range []struct{ length, heads, kvHeads, width int }{
		{31, 2, 2, 32}, {64, 4, 2, 64}, {171, 3, 1, 96}, {300, 8, 2, 64},
	} {
		for dtype, bound := range map[dtypes.DType]float64{dtypes.BFloat16: 6e-3, dtypes.Float32: 2e-6} {
			t.Run(fmt.Sprint(c, dtype), func(t *testing.T) {
				var in []*tensors.Tensor
				for i, heads := range []int{c.heads, c.kvHeads, c.kvHeads, c.heads} {
					x := graphtest.Random(int64(i+1), 2, c.length, heads, c.width)
					values := roundToBF16(graphtest.Floats(t, x))
					in = append(in, tensors.FromFlatDataAndDimensions(values, x.Shape().Dimensions...))
				}
				checkAttention(t, d, dtype, bound, in, tensors.FromValue(makeSegments(c.length)))
			})
		}
	}
}

// A NaN stays visible, and does not cross into another document.
func TestAttentionOfNaN(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		const length, heads, width, place = 70, 2, 32, 40 // documents of 35 tokens
		segments := make([]int32, length)
		for i := range segments {
			segments[i] = int32(i/(length/2)+1) << graph.BranchBits
		}
		k := graphtest.Floats(t, graphtest.Random(1, length, heads*width))
		k[place*heads*width] = float32(math.NaN()) // in the first head
		x := tensors.FromFlatDataAndDimensions(k, 1, length, heads, width)
		got := call(t, d, func(in []*Node) []*Node {
			layout := graph.Layout{Segments: in[1]}
			y := graph.Weights{}.SelfAttention(OnesLike(in[0]), in[0], OnesLike(in[0]), graph.Mask(layout, layout, 0))
			return []*Node{y, Gradient(ReduceAllSum(Square(y)), in[0])[0]}
		}, x, [][]int32{segments})
		y, dk := graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])
		for what, values := range map[string][]float32{"y": y, "dk": dk} {
			for i, v := range values {
				token, head := i/(heads*width), i/width%heads
				reached := token >= place || what == "dk" && token >= length/2 // dk: all keys of a query with a NaN
				if isNaN := math.IsNaN(float64(v)); isNaN != (head == 0 && reached) {
					t.Fatalf("%s of token %d, head %d is %g", what, token, head, v)
				}
			}
		}
	})
}

// The gradient through two layers is the same whether the backward pass recomputes them or not.
func TestAttentionInRemat(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		const length, heads, width = 40, 2, 32
		x, weight := graphtest.Random(1, 1, length, heads, width), graphtest.Random(2, 1, length, heads, width)
		got := call(t, d, func(in []*Node) (results []*Node) {
			layout := graph.Layout{Segments: in[2]}
			mask := graph.Mask(layout, layout, 0)
			attend := func(w graph.Weights, x *Node) *Node {
				return Add(x, Reshape(w.SelfAttention(x, Tanh(x), x, mask), 1, length, heads, width))
			}
			layers := map[bool]func(x *Node) *Node{
				true: func(x *Node) *Node { return graph.Weights{}.RematLayer("", x, attend) },
				false: func(x *Node) *Node {
					return Add(x, Reshape(graph.Attention(x, Tanh(x), x, mask), 1, length, heads, width))
				},
			}
			for _, remat := range []bool{true, false} {
				y := layers[remat](layers[remat](in[0]))
				results = append(results, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])[0])
			}
			return results
		}, x, weight, makeSegments(length)[:1])
		if r := graphtest.RelativeError(graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])); !(r <= 2e-6) {
			t.Errorf("relative error %g", r)
		}
	})
}

// The attention kernel returns zeros for queries without keys, also for a whole block of them.
func TestAttentionWithoutKeys(t *testing.T) {
	d := openWithKernels(t)
	const length, heads, width = 96, 2, 32
	x, segments := graphtest.Random(1, 1, length, heads, width), make([]int32, length)
	for i := range segments {
		segments[i] = 1 << graph.BranchBits
	}
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		got := call(t, d, func(in []*Node) []*Node {
			x, layout := ConvertDType(in[0], dtype), graph.Layout{Segments: in[1]}
			index := Iota(x.Graph(), shapes.Make(dtypes.Int32, 1, length, 1), 1)
			first, last := Const(x.Graph(), int32(32)), Const(x.Graph(), int32(64))
			withKeys := Or(LessThan(index, first), GreaterOrEqual(index, last))
			mask := And(graph.Mask(layout, layout, 0), BroadcastToDims(withKeys, 1, length, length))
			keys := StopGradient(Tanh(x))
			y := graph.Weights{}.SelfAttention(x, keys, keys, mask)
			y = ConvertDType(y, dtypes.Float32)
			return []*Node{y, ConvertDType(Gradient(ReduceAllSum(Square(AddScalar(y, 1))), x)[0], dtypes.Float32)}
		}, x, [][]int32{segments})
		y, dq := graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])
		for what, values := range map[string][]float32{"y": y, "dq": dq} {
			for i, v := range values {
				token := i / (heads * width)
				if token == 0 {
					continue // it has only itself as a key, so its dq is 0
				}
				if (v == 0) != (token >= 32 && token < 64) {
					t.Fatalf("%s: %s of token %d is %g", dtype, what, token, v)
				}
			}
		}
	}
}

// With kernels, a compiled program computes attention and its gradient by two kernel calls and no products.
func TestAttentionIsKernelCall(t *testing.T) {
	d := openWithKernels(t)
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		p := device.NewProgram(d, "attention", func(in [][]*Node) [][]*Node {
			layout := graph.Layout{Segments: in[1][0]}
			y := graph.Weights{}.SelfAttention(in[0][0], in[0][1], in[0][2], graph.Mask(layout, layout, 0))
			return [][]*Node{{y}, Gradient(ReduceAllSum(Square(ConvertDType(y, dtypes.Float32))), in[0]...)}
		})
		defer p.Close()
		q, kv := shapes.Make(dtype, 2, 40, 4, 32), shapes.Make(dtype, 2, 40, 2, 32)
		c, err := p.Compile([]shapes.Shape{q, kv, kv}, []shapes.Shape{shapes.Make(dtypes.Int32, 2, 40)})
		if err != nil {
			t.Fatal(err)
		}
		calls, products := 0, 0
		for _, o := range c.Work.Operations {
			switch {
			case strings.HasPrefix(o.Name, "bfpo_attention"):
				calls += o.Count
			case o.FLOPs > 0:
				products += o.Count
			}
		}
		if calls != 2 || products != 0 {
			t.Errorf("%s: %d calls and %d products, want 2 and 0: %v", dtype, calls, products, c.Work.Operations)
		}
	}
}

// checkAttention compares SelfAttention in dtype, and its gradient for a weighted sum, with Attention in float32. It
// calls the program three times at once and requires equal results. inputs are q, k, v and the weights of the sum.
func checkAttention(t *testing.T, d *device.Device, dtype dtypes.DType, bound float64,
	inputs []*tensors.Tensor, segments *tensors.Tensor) {
	t.Helper()
	p := device.NewProgram(d, "attention", func(in [][]*Node) [][]*Node {
		layout := graph.Layout{Segments: in[1][0]}
		mask := graph.Mask(layout, layout, 0)
		gradients := func(dtype dtypes.DType, attend func(q, k, v, mask *Node) *Node) (results []*Node) {
			qkv := make([]*Node, 3)
			for i := range qkv {
				qkv[i] = ConvertDType(in[0][i], dtype)
			}
			y := attend(qkv[0], qkv[1], qkv[2], mask)
			weighted := ReduceAllSum(Mul(ConvertDType(y, dtypes.Float32), Reshape(in[0][3], y.Shape().Dimensions...)))
			for _, x := range append(Gradient(weighted, qkv...), y) {
				results = append(results, ConvertDType(x, dtypes.Float32))
			}
			return results
		}
		return [][]*Node{gradients(dtypes.Float32, graph.Attention), gradients(dtype, graph.Weights{}.SelfAttention)}
	})
	defer p.Close()
	var results [3][][]*tensors.Tensor
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			var err error
			if results[i], err = p.Call(inputs, []*tensors.Tensor{segments}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, what := range []string{"dq", "dk", "dv", "y"} {
		got := graphtest.Floats(t, results[0][1][i])
		if r := graphtest.RelativeError(got, graphtest.Floats(t, results[0][0][i])); !(r <= bound) {
			t.Errorf("%s: relative error %g, want at most %g", what, r, bound)
		}
		for _, again := range results[1:] {
			if !slices.Equal(graphtest.Floats(t, again[1][i]), got) {
				t.Errorf("%s: two calls gave different results", what)
			}
		}
	}
}
