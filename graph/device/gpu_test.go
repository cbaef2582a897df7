package device_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// A compile-only device returns the sizes and operations of a program for GPUs that are not present.
func TestOpenCompileOnly(t *testing.T) {
	for _, name := range []string{"h100", "a100"} {
		d := graphtest.CompileOnlyGPUs(t, name, 1)
		p := device.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
			return [][]*Node{{Tanh(graph.Linear(in[0][0], in[0][1]))}}
		})
		defer p.Close()
		x, w := shapes.Make(dtypes.BFloat16, 256, 1024), shapes.Make(dtypes.BFloat16, 2048, 1024)
		c, err := p.Compile([]shapes.Shape{x, w})
		if err != nil {
			t.Fatal(err)
		}
		if c.Inputs != x.ByteSize()+w.ByteSize() || c.Outputs != 2*256*2048 {
			t.Errorf("%s: inputs %d, outputs %d bytes", name, c.Inputs, c.Outputs)
		}
		if got, want := c.Work.FLOPs(), 2.0*256*1024*2048; got != want {
			t.Errorf("%s: %g FLOPs, want %g: %v", name, got, want, c.Work.Operations)
		}
		for _, o := range c.Work.Operations {
			if slices.ContainsFunc(o.Operands, func(operand string) bool { return strings.HasPrefix(operand, "f32") }) {
				t.Errorf("%s: %v has float32 operands", name, o)
			}
		}
		if m, ok := d.Memory(0); !ok || m.Limit < 70<<30 {
			t.Errorf("%s: memory %+v", name, m)
		}
		if gpu, ok := d.TargetGPU(); !ok || gpu.Name != name || !strings.Contains(d.Describe(), gpu.Label) {
			t.Errorf("device %s", d.Describe())
		}
	}
}

func TestFindGPU(t *testing.T) {
	if g, err := device.FindGPU("H100"); err != nil || g.Capability != [2]int{9, 0} {
		t.Errorf("H100: %+v, %v", g, err)
	}
	if _, err := device.FindGPU("v100"); err == nil || !strings.Contains(err.Error(), "want one of h100, h200, a100") {
		t.Errorf("v100: error %v", err)
	}
}
