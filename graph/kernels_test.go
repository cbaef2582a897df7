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
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
)

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
