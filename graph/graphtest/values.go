package graphtest

import (
	"math"
	"math/rand"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// Floats returns a copy of the values of a float32 tensor.
func Floats(t testing.TB, x *tensors.Tensor) []float32 {
	t.Helper()
	values, err := tensors.CopyFlatData[float32](x)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// Random returns a float32 tensor of standard normal values, the same for the same seed.
func Random(seed int64, dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	source := rand.New(rand.NewSource(seed))
	for i := range values {
		values[i] = float32(source.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// RelativeError returns the Euclidean distance between got and want, divided by the Euclidean norm of want.
func RelativeError(got, want []float32) float64 {
	var diff, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		diff += d * d
		norm += float64(want[i]) * float64(want[i])
	}
	return math.Sqrt(diff / norm)
}
