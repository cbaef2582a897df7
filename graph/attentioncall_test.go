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

// rowsOfSegments are two rows of length tokens: two answers to a prompt, then a document and padding; and padding
// around documents of few tokens.
func rowsOfSegments(length int) [][]int32 {
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

// Attention, which is a call where there are kernels for it, is attention, and so is its gradient: under masks of all
// kinds, in lengths that fill blocks and that do not, with shared heads, by several callers at once.
func TestAttentionCalls(t *testing.T) {
	d := graphtest.XLA(t)
	for _, c := range []struct{ length, heads, kvHeads, width int }{{31, 2, 2, 32}, {64, 4, 2, 64}, {171, 3, 1, 96}, {300, 8, 2, 64}} {
		for dtype, bound := range map[dtypes.DType]float64{dtypes.BFloat16: 6e-3, dtypes.Float32: 2e-6} {
			t.Run(fmt.Sprint(c, dtype), func(t *testing.T) {
				var in []*tensors.Tensor
				for i, heads := range []int{c.heads, c.kvHeads, c.kvHeads, c.heads} {
					x := graphtest.Random(int64(i+1), 2, c.length, heads, c.width)
					in = append(in, tensors.FromFlatDataAndDimensions(rounded(graphtest.Floats(t, x)), x.Shape().Dimensions...))
				}
				checkAttention(t, d, dtype, bound, in, tensors.FromValue(rowsOfSegments(c.length)))
			})
		}
	}
}

// What is no number stays none, and does not cross into another document.
func TestAttentionOfNaN(t *testing.T) {
	graphtest.Each(t, func(t *testing.T, d *device.Device) {
		const length, heads, width, place = 70, 2, 32, 40 // documents of 35 tokens
		segments := make([]int32, length)
		for i := range segments {
			segments[i] = int32(i/(length/2)+1) << graph.BranchBits
		}
		k := graphtest.Floats(t, graphtest.Random(1, length, heads*width))
		k[place*heads*width] = float32(math.NaN()) // of the first head
		x := tensors.FromFlatDataAndDimensions(k, 1, length, heads, width)
		got := call(t, d, func(in []*Node) []*Node {
			places := graph.Places{Segments: in[1]}
			y := graph.Weights{}.SelfAttention(OnesLike(in[0]), in[0], OnesLike(in[0]), graph.Mask(places, places, 0))
			return []*Node{y, Gradient(ReduceAllSum(Square(y)), in[0])[0]}
		}, x, [][]int32{segments})
		for what, values := range map[string][]float32{"y": graphtest.Floats(t, got[0]), "dk": graphtest.Floats(t, got[1])} {
			for i, v := range values {
				token, head := i/(heads*width), i/width%heads
				sees := token >= place || what == "dk" && token >= length/2 // of the gradient, all keys of the document that such a query sees
				if isNaN := math.IsNaN(float64(v)); isNaN != (head == 0 && sees) {
					t.Fatalf("%s of token %d, head %d is %g", what, token, head, v)
				}
			}
		}
	})
}

// In layers that are computed again, one behind the other, the gradient is the same.
func TestAttentionRecomputed(t *testing.T) {
	graphtest.Each(t, func(t *testing.T, d *device.Device) {
		const length, heads, width = 40, 2, 32
		x, weight := graphtest.Random(1, 1, length, heads, width), graphtest.Random(2, 1, length, heads, width)
		got := call(t, d, func(in []*Node) (results []*Node) {
			places := graph.Places{Segments: in[2]}
			mask := graph.Mask(places, places, 0)
			attend := func(w graph.Weights, x *Node) *Node {
				return Add(x, Reshape(w.SelfAttention(x, Tanh(x), x, mask), 1, length, heads, width))
			}
			layers := map[bool]func(x *Node) *Node{
				true: func(x *Node) *Node { return graph.Weights{}.Recomputed("", x, attend) },
				false: func(x *Node) *Node {
					return Add(x, Reshape(graph.Attention(x, Tanh(x), x, mask), 1, length, heads, width))
				},
			}
			for _, again := range []bool{true, false} {
				y := layers[again](layers[again](in[0]))
				results = append(results, Gradient(ReduceAllSum(Mul(y, in[1])), in[0])[0])
			}
			return results
		}, x, weight, rowsOfSegments(length)[:1])
		if r := graphtest.Relative(graphtest.Floats(t, got[0]), graphtest.Floats(t, got[1])); !(r <= 2e-6) {
			t.Errorf("relative difference %g", r)
		}
	})
}

// A call gives zeros to queries that see nothing, also to a whole block of them.
func TestAttentionOfNothing(t *testing.T) {
	d := inspectedKernels(t)
	const length, heads, width = 96, 2, 32
	x, segments := graphtest.Random(1, 1, length, heads, width), make([]int32, length)
	for i := range segments {
		segments[i] = 1 << graph.BranchBits
	}
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		got := call(t, d, func(in []*Node) []*Node {
			x, places := ConvertDType(in[0], dtype), graph.Places{Segments: in[1]}
			place := Iota(x.Graph(), shapes.Make(dtypes.Int32, 1, length, 1), 1)
			seeing := Or(LessThan(place, Const(x.Graph(), int32(32))), GreaterOrEqual(place, Const(x.Graph(), int32(64))))
			keys := StopGradient(Tanh(x))
			y := graph.Weights{}.SelfAttention(x, keys, keys, And(graph.Mask(places, places, 0), BroadcastToDims(seeing, 1, length, length)))
			y = ConvertDType(y, dtypes.Float32)
			return []*Node{y, ConvertDType(Gradient(ReduceAllSum(Square(AddScalar(y, 1))), x)[0], dtypes.Float32)}
		}, x, [][]int32{segments})
		for what, values := range map[string][]float32{"y": graphtest.Floats(t, got[0]), "dq": graphtest.Floats(t, got[1])} {
			for i, v := range values {
				if token := i / (heads * width); token > 0 && (v == 0) != (token >= 32 && token < 64) { // the first sees but itself: its dq is 0
					t.Fatalf("%s: %s of token %d is %g", dtype, what, token, v)
				}
			}
		}
	}
}

// With AVX-512 they are calls indeed.
func TestAttentionIsCalled(t *testing.T) {
	d := inspectedKernels(t)
	for _, dtype := range []dtypes.DType{dtypes.BFloat16, dtypes.Float32} {
		p := device.NewProgram(d, "attention", func(in [][]*Node) [][]*Node {
			places := graph.Places{Segments: in[1][0]}
			y := graph.Weights{}.SelfAttention(in[0][0], in[0][1], in[0][2], graph.Mask(places, places, 0))
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

// checkAttention compares SelfAttention of q, k and v, and its gradient for a weighted sum, with Attention in float32.
func checkAttention(t *testing.T, d *device.Device, dtype dtypes.DType, bound float64, qkvWeights []*tensors.Tensor, segments *tensors.Tensor) {
	t.Helper()
	p := device.NewProgram(d, "attention", func(in [][]*Node) [][]*Node {
		places := graph.Places{Segments: in[1][0]}
		mask := graph.Mask(places, places, 0)
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
			if results[i], err = p.Call(qkvWeights, []*tensors.Tensor{segments}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, what := range []string{"dq", "dk", "dv", "y"} {
		got := graphtest.Floats(t, results[0][1][i])
		if r := graphtest.Relative(got, graphtest.Floats(t, results[0][0][i])); !(r <= bound) {
			t.Errorf("%s: relative difference %g, want %g at most", what, r, bound)
		}
		for _, again := range results[1:] {
			if !slices.Equal(graphtest.Floats(t, again[1][i]), got) {
				t.Errorf("%s: not the same twice", what)
			}
		}
	}
}
