package graph_test

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

func TestMask(t *testing.T) {
	const trunk, second = 1 << graph.BranchBits, 2 << graph.BranchBits // of two documents
	const chosen, rejected = trunk | 1, trunk | 2
	for name, c := range map[string]struct {
		segments, positions []int32
		window              int
		want                []string // one string per query, with an x for each key that it attends to
	}{
		"causal": {[]int32{trunk, trunk, trunk}, []int32{0, 1, 2}, 0, []string{"x..", "xx.", "xxx"}},
		"padding right": {[]int32{trunk, trunk, 0, 0}, []int32{0, 1, 0, 0}, 0,
			[]string{"x...", "xx..", "..x.", "..xx"}},
		"padding left": {[]int32{0, trunk, trunk}, []int32{0, 0, 1}, 0, []string{"x..", ".x.", ".xx"}},
		"packed documents": {[]int32{trunk, trunk, second, second}, []int32{0, 1, 0, 1}, 0,
			[]string{"x...", "xx..", "..x.", "..xx"}},
		"shared prompt": {[]int32{trunk, trunk, chosen, chosen, rejected, rejected}, []int32{0, 1, 2, 3, 2, 3}, 0,
			[]string{"x.....", "xx....", "xxx...", "xxxx..", "xx..x.", "xx..xx"}},
		// The rejected branch counts its distance to the prompt along its own sequence, not along the row.
		"shared prompt, window 2": {
			[]int32{trunk, trunk, chosen, chosen, rejected, rejected}, []int32{0, 1, 2, 3, 2, 3}, 2,
			[]string{"x.....", "xx....", ".xx...", "..xx..", ".x..x.", "....xx"}},
		"window 2, packed documents": {[]int32{0, trunk, trunk, trunk, second, second}, []int32{0, 0, 1, 2, 0, 1}, 2,
			[]string{"x.....", ".x....", ".xx...", "..xx..", "....x.", "....xx"}},
		"window 1": {[]int32{trunk, trunk, trunk}, []int32{0, 1, 2}, 1, []string{"x..", ".x.", "..x"}},
	} {
		t.Run(name, func(t *testing.T) {
			graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
				mask := call(t, d, func(in []*Node) []*Node {
					p := graph.Layout{Segments: in[0], Positions: in[1]}
					// The last two queries alone, as with a KV cache.
					n := len(c.segments)
					tail := func(x *Node) *Node { return SliceAxis(x, 1, AxisRange(n-2, n)) }
					index := AddScalar(Iota(in[0].Graph(), tail(in[0]).Shape(), 1), n-2)
					last := graph.Layout{Segments: tail(in[0]), Positions: tail(in[1]), Index: index}
					// Without a window nothing else uses the positions, and the Go backend fails on unused arguments.
					zero := Mul(ReduceAllSum(in[1]), ScalarZero(in[1].Graph(), dtypes.Int32))
					return []*Node{Add(ConvertDType(graph.Mask(p, p, c.window), dtypes.Int32), zero),
						ConvertDType(graph.Mask(last, p, c.window), dtypes.Int32)}
				}, [][]int32{c.segments}, [][]int32{c.positions})
				check := func(what string, got []int32, want []string) {
					t.Helper()
					n := len(c.segments)
					for q, row := range want {
						for k := range row {
							if (got[q*n+k] != 0) != (row[k] == 'x') {
								t.Errorf("%s: query %d, key %d: mask %d, want %s", what, q, k, got[q*n+k], row)
							}
						}
					}
				}
				check("all queries", ints(t, mask[0]), c.want)
				check("last queries", ints(t, mask[1]), c.want[len(c.want)-2:])
			})
		})
	}
}

// naiveAttention computes attention by its definition, in float64 and for one row: head h of q [S][H][hd] reads head
// h*K/H of k, v [T][K][hd].
func naiveAttention(q, k, v []float32, mask []bool, s, t, heads, kvHeads, width int) []float32 {
	out := make([]float32, s*heads*width)
	for i := range s {
		for h := range heads {
			kv := h * kvHeads / heads
			weights, sum := make([]float64, t), 0.0
			for j := range t {
				if !mask[i*t+j] {
					continue
				}
				dot := 0.0
				for x := range width {
					dot += float64(q[(i*heads+h)*width+x]) * float64(k[(j*kvHeads+kv)*width+x])
				}
				weights[j] = math.Exp(dot / math.Sqrt(float64(width)))
				sum += weights[j]
			}
			for j := range t {
				for x := range width {
					if sum > 0 {
						out[(i*heads+h)*width+x] += float32(weights[j] / sum * float64(v[(j*kvHeads+kv)*width+x]))
					}
				}
			}
		}
	}
	return out
}

func TestAttention(t *testing.T) {
	const s, keys, width = 5, 7, 4
	mask := make([]bool, s*keys)
	visible := make([][][]bool, 1)
	for i := range s {
		for j := range keys {
			mask[i*keys+j] = i > 0 && (i+2*j)%3 != 0 // query 0 has no key
		}
		visible[0] = append(visible[0], mask[i*keys:(i+1)*keys])
	}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		for _, h := range []struct{ heads, kvHeads int }{{4, 4}, {4, 2}, {6, 3}, {3, 1}} {
			q := graphtest.Random(1, 1, s, h.heads, width)
			k, v := graphtest.Random(2, 1, keys, h.kvHeads, width), graphtest.Random(3, 1, keys, h.kvHeads, width)
			want := naiveAttention(graphtest.Floats(t, q), graphtest.Floats(t, k), graphtest.Floats(t, v), mask,
				s, keys, h.heads, h.kvHeads, width)
			got := call(t, d, func(in []*Node) []*Node {
				y := graph.Attention(in[0], in[1], in[2], in[3])
				y.AssertDims(1, s, h.heads*width)
				grads := Gradient(ReduceAllSum(Square(y)), in[:3]...)
				withoutKeys := SliceAxis(grads[0], 1, AxisElem(0))
				bf16 := func(x *Node) *Node { return ConvertDType(x, dtypes.BFloat16) }
				half := graph.Attention(bf16(in[0]), bf16(in[1]), bf16(in[2]), in[3])
				withKeys := func(y *Node) *Node {
					return SliceAxis(ConvertDType(y, dtypes.Float32), 1, AxisRange(1, s))
				}
				return append(grads, withKeys(y), withoutKeys, withKeys(half))
			}, q, k, v, visible)
			near(t, "y", graphtest.Floats(t, got[3]), want[h.heads*width:], 2e-6)
			if r := graphtest.RelativeError(graphtest.Floats(t, got[5]), want[h.heads*width:]); r > 0.01 {
				t.Errorf("%v: relative error %.3g in bfloat16", h, r)
			}
			near(t, "gradient of a query without keys", graphtest.Floats(t, got[4]), make([]float32, h.heads*width), 0)
			for _, grad := range got[:3] {
				for i, g := range graphtest.Floats(t, grad) {
					if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
						t.Fatalf("%v: gradient[%d] is %g", h, i, g)
					}
				}
			}
		}
	})
}

// The gradient of attention is compared with finite differences of naiveAttention.
func TestAttentionGradient(t *testing.T) {
	const s, heads, kvHeads, width, step = 4, 4, 2, 2, 1e-3
	mask := make([]bool, s*s)
	visible := make([][][]bool, 1)
	for i := range s {
		for j := range i + 1 {
			mask[i*s+j] = true
		}
		visible[0] = append(visible[0], mask[i*s:(i+1)*s])
	}
	weight := graphtest.Floats(t, graphtest.Random(4, s*heads*width))
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		q := graphtest.Random(1, 1, s, heads, width)
		k, v := graphtest.Random(2, 1, s, kvHeads, width), graphtest.Random(3, 1, s, kvHeads, width)
		inputs := [][]float32{graphtest.Floats(t, q), graphtest.Floats(t, k), graphtest.Floats(t, v)}
		got := call(t, d, func(in []*Node) []*Node {
			y := Reshape(graph.Attention(in[0], in[1], in[2], in[3]), -1)
			return Gradient(ReduceAllSum(Mul(y, in[4])), in[:3]...)
		}, q, k, v, visible, weight)
		loss := func() (sum float64) {
			for i, y := range naiveAttention(inputs[0], inputs[1], inputs[2], mask, s, s, heads, kvHeads, width) {
				sum += float64(y) * float64(weight[i])
			}
			return sum
		}
		for n, input := range inputs {
			want := make([]float32, len(input))
			for i, x := range input {
				input[i] = x + step
				up := loss()
				input[i] = x - step
				want[i] = float32((up - loss()) / (2 * step))
				input[i] = x
			}
			near(t, []string{"dq", "dk", "dv"}[n], graphtest.Floats(t, got[n]), want, 5e-4)
		}
	})
}

// SelfAttention, which may work in blocks of queries, equals Attention, and so do the gradients.
func TestSelfAttention(t *testing.T) {
	const s, heads, kvHeads, width = 300, 2, 1, 4 // blocks of 128, 128 and 44
	segments := make([]int32, s)
	for i := range segments {
		segments[i] = int32(i/100+1) << graph.BranchBits
	}
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		q, weight := graphtest.Random(1, 1, s, heads, width), graphtest.Random(4, 1, s, heads*width)
		k, v := graphtest.Random(2, 1, s, kvHeads, width), graphtest.Random(3, 1, s, kvHeads, width)
		got := call(t, d, func(in []*Node) []*Node {
			row := graph.Layout{Segments: in[4]}
			mask := graph.Mask(row, row, 0)
			var results []*Node
			for _, attend := range []func(q, k, v, mask *Node) *Node{graph.Weights{}.SelfAttention, graph.Attention} {
				y := attend(in[0], in[1], in[2], mask)
				results = append(results, append(Gradient(ReduceAllSum(Mul(y, in[3])), in[:3]...), y)...)
			}
			return results
		}, q, k, v, weight, [][]int32{segments})
		for i, what := range []string{"dq", "dk", "dv", "y"} {
			near(t, what, graphtest.Floats(t, got[i]), graphtest.Floats(t, got[i+4]), 5e-6)
		}
	})
}
