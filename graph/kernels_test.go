package graph_test

import (
	"slices"
	"strings"
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

// TestProductKernel checks that products of bfloat16 matrices call the kernel on all processors that have it, also in
// batches along two axes, and that no kernel is called where none is selected.
func TestProductKernel(t *testing.T) {
	if graphtest.XLA(t).Platform() != device.PlatformCPU || !kernels.ProductAvailable() {
		t.Skip("no kernels for this device")
	}
	results := map[string][]float32{}
	for selected, calls := range map[string]bool{"": true, "off": false, "attention": false} {
		t.Setenv("BFPO_KERNELS", selected)
		left, right := graphtest.Random(1, 2, 3, 130, 96), graphtest.Random(2, 2, 3, 140, 96) // a tensor has one device
		d, err := device.Open(device.Options{Platform: graphtest.XLA(t).Plugin(), Inspect: true, Log: graphtest.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		p := device.NewProgram(d, "heads", func(in [][]*Node) [][]*Node {
			a, b := ConvertDType(in[0][0], dtypes.BFloat16), ConvertDType(in[0][1], dtypes.BFloat16)
			y := Dot(a, b).WithAccumulatorDType(dtypes.InvalidDType).General([]int{3}, []int{0, 1}, []int{3}, []int{0, 1})
			return [][]*Node{{ConvertDType(y, dtypes.Float32)}}
		})
		defer p.Close()
		c, err := p.Compile([]shapes.Shape{left.Shape(), right.Shape()})
		if err != nil {
			t.Fatal(err)
		}
		isProduct := func(o hlo.Operation) bool { return o.Name == "bfpo_product" }
		if called := slices.ContainsFunc(c.Work.Operations, isProduct); called != calls {
			t.Errorf("BFPO_KERNELS=%q calls bfpo_product: %t, want %t", selected, called, calls)
		}
		out, err := p.Call([]*tensors.Tensor{left, right})
		if err != nil {
			t.Fatal(err)
		}
		results[selected] = graphtest.Floats(t, out[0][0])
	}
	if e := graphtest.RelativeError(results[""], results["off"]); !(e <= 3e-3) {
		t.Errorf("relative error %g beside XLA's own product, want at most 3e-3", e)
	}
}

// TestKernelSelection checks that the kernels that BFPO_KERNELS selects are part of a program's key, even if the
// program calls none of them, and that programs call no others.
func TestKernelSelection(t *testing.T) {
	if graphtest.XLA(t).Platform() != device.PlatformCPU || !kernels.Available() {
		t.Skip("no kernels for this device")
	}
	plugin := graphtest.XLA(t).Plugin()
	x := shapes.Make(dtypes.Float32, 64, 64)
	keys := map[string]string{}
	for selected, calls := range map[string]bool{"": true, "off": false, "products": true, "attention,decoder": false} {
		t.Setenv("BFPO_KERNELS", selected)
		d, err := device.Open(device.Options{Platform: plugin, Inspect: true, Log: graphtest.Log(t)})
		if err != nil {
			t.Fatal(err)
		}
		for name, build := range map[string]func(x *Node) *Node{
			"sum": ReduceAllSum, "product": func(x *Node) *Node { return graph.Linear(x, x) },
		} {
			p := device.NewProgram(d, name, func(in [][]*Node) [][]*Node { return [][]*Node{{build(in[0][0])}} })
			c, err := p.Compile([]shapes.Shape{x})
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := keys[c.Key]; ok {
				t.Errorf("%s with BFPO_KERNELS=%q has the key of %s", name, selected, other)
			}
			keys[c.Key] = name + " with BFPO_KERNELS=" + selected
			called := false
			for _, o := range c.Work.Operations {
				called = called || o.Name == "bfpo_product"
			}
			if want := calls && name == "product"; called != want {
				t.Errorf("%s with BFPO_KERNELS=%q calls bfpo_product: %t, want %t", name, selected, called, want)
			}
			p.Close()
		}
		d.Close()
	}
}

// TestUnknownKernels checks that an unknown name is an error on every platform, and does not select the Go backend.
func TestUnknownKernels(t *testing.T) {
	t.Setenv("BFPO_KERNELS", "products,atention")
	for _, platform := range []string{"auto", "cpu", "go"} {
		d, err := device.Open(device.Options{Platform: platform, Log: graphtest.Log(t)})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "BFPO_KERNELS") || !strings.Contains(err.Error(), `"atention"`) {
			t.Errorf("platform %s: error %v", platform, err)
		}
	}
}
