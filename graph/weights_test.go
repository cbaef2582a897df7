package graph_test

import (
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// call compiles and runs a graph function once; args are Go values or tensors.
func call(t *testing.T, d *device.Device, fn func(in []*Node) []*Node, args ...any) []*tensors.Tensor {
	t.Helper()
	results, err := CallOnceN(d.Backend, fn, args...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return results
}

func TestWeights(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		call(t, d, func(in []*Node) []*Node {
			matrix, vector, master := in[0], in[1], in[2]
			base := graph.NewWeights([]string{"m", "v"}, []*Node{matrix, vector})
			policy := base.WithMasters([]string{"m"}, []*Node{master})
			if base.Get("m") != matrix || policy.Get("m") != master || policy.Get("v") != vector ||
				policy.Base().Get("m") != matrix {
				t.Error("a view returns the wrong node")
			}
			if !policy.HasMaster("m") || policy.HasMaster("v") || policy.Base().HasMaster("m") || base.HasMaster("m") {
				t.Error("HasMaster is wrong")
			}
			half := policy.WithDType(dtypes.BFloat16)
			if half.Get("m").DType() != dtypes.BFloat16 || half.Get("v").DType() != dtypes.Float32 {
				t.Error("WithDType must cast matrices and leave vectors as they are")
			}
			for _, c := range []struct {
				want string
				fn   func()
			}{
				{`"x" is not part`, func() { base.Get("x") }},
				{`"x" is trained but is not part`, func() { base.WithMasters([]string{"x"}, []*Node{master}) }},
				{`"v" is trained with shape`, func() { base.WithMasters([]string{"v"}, []*Node{master}) }},
				{`"m" is given twice`, func() { graph.NewWeights([]string{"m", "m"}, []*Node{matrix, master}) }},
				{`1 weight names for 2`, func() { graph.NewWeights([]string{"m"}, []*Node{matrix, master}) }},
			} {
				if err := exceptions.TryCatch[error](c.fn); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %s", err, c.want)
				}
			}
			return []*Node{matrix, vector, master} // the Go backend fails on unused trailing arguments
		}, [][]float32{{1, 2}}, []float32{3}, [][]float32{{5, 6}})
	})
}

// ints returns a copy of the values of an int32 tensor.
func ints(t *testing.T, x *tensors.Tensor) []int32 {
	t.Helper()
	values, err := tensors.CopyFlatData[int32](x)
	if err != nil {
		t.Fatal(err)
	}
	return values
}
