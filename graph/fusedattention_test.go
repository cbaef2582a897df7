package graph_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// countAttentionCalls compiles attention and its gradient for a GPU and counts cuDNN's attention calls and all other
// products.
func countAttentionCalls(t *testing.T, dtype dtypes.DType, length int) (forward, backward, products int) {
	t.Helper()
	const b, heads, kvHeads, width = 2, 4, 2, 64
	p := device.NewProgram(graphtest.CompileOnlyGPUs(t, "h100", 1), "attention", func(in [][]*Node) [][]*Node {
		layout := graph.Layout{Segments: in[1][0], Positions: in[1][1]}
		y := graph.Weights{}.SelfAttention(in[0][0], in[0][1], in[0][2], graph.Mask(layout, layout, 0))
		return [][]*Node{{y}, Gradient(ReduceAllSum(Square(ConvertDType(y, dtypes.Float32))), in[0]...)}
	})
	defer p.Close()
	q, kv := shapes.Make(dtype, b, length, heads, width), shapes.Make(dtype, b, length, kvHeads, width)
	place := shapes.Make(dtypes.Int32, b, length)
	c, err := p.Compile([]shapes.Shape{q, kv, kv}, []shapes.Shape{place, place})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range c.Work.Operations {
		switch {
		case strings.HasPrefix(o.Name, "__cudnn$fmha") && strings.HasSuffix(o.Name, "Backward"):
			backward += o.Count
		case strings.HasPrefix(o.Name, "__cudnn$fmha"):
			forward += o.Count
		case o.FLOPs > 0:
			products += o.Count
		}
	}
	return forward, backward, products
}

// On GPUs, attention in half precision with a mask of segments is one cuDNN call forward and one backward.
func TestFusedAttention(t *testing.T) {
	for _, c := range []struct {
		dtype             dtypes.DType
		length            int
		forward, backward int
	}{
		{dtypes.BFloat16, 256, 1, 1},
		{dtypes.Float32, 256, 0, 0},  // not in half precision
		{dtypes.BFloat16, 255, 0, 0}, // odd length
	} {
		forward, backward, products := countAttentionCalls(t, c.dtype, c.length)
		if forward != c.forward || backward != c.backward || (products == 0) != (c.forward > 0) {
			t.Errorf("%v, %d tokens: %d calls forward, %d backward, %d other products; want %d, %d",
				c.dtype, c.length, forward, backward, products, c.forward, c.backward)
		}
	}
}
