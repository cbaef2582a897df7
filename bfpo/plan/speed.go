package plan

import (
	"fmt"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
)

// Speed is the speed of a device that estimates of time assume.
type Speed struct {
	FLOPS      float64 `json:"flops"`      // operations per second of one device; 0 where nothing is known
	Assumption string  `json:"assumption"` // where the number comes from
}

// Shares of a device's speed that a training step is assumed to reach: of the peak that a GPU's data sheet gives, and
// of a large matrix product that was measured.
const (
	shareOfPeak    = 0.4
	shareOfProduct = 0.5
)

// measureSpeed returns the speed to assume: from the data sheet of a GPU that is not here, else from a matrix product
// of dtype that the device computes now.
func measureSpeed(d *device.Device, dtype dtypes.DType) (Speed, error) {
	if gpu, ahead := d.TargetGPU(); ahead {
		return Speed{
			FLOPS: shareOfPeak * gpu.FLOPS,
			Assumption: fmt.Sprintf("%.0f %% of the peak of %s (%.0f TFLOP/s in bfloat16)", 100*shareOfPeak, gpu.Label,
				gpu.FLOPS/1e12),
		}, nil
	}
	size := map[string]int{device.PlatformGo: 256, device.PlatformCPU: 1024, device.PlatformCUDA: 4096}[d.Platform()]
	product := device.NewProgram(d, "product", func(in [][]*Node) [][]*Node {
		x := ConvertDType(in[0][0], dtype)
		return [][]*Node{{ReduceAllSum(ConvertDType(Dot(x, x).Product(), dtypes.Float32))}}
	})
	values := make([]float32, size*size)
	for i := range values {
		values[i] = float32(i%7) / 7
	}
	matrix := tensors.FromFlatDataAndDimensions(values, size, size)
	var fastest time.Duration
	for range 4 { // the first compiles
		started := time.Now()
		out, err := product.Call([]*tensors.Tensor{matrix})
		if err != nil {
			return Speed{}, fmt.Errorf("speed of the device: %w", err)
		}
		tensors.ToScalar[float32](out[0][0]) // waits for the result
		if took := time.Since(started); fastest == 0 || took < fastest {
			fastest = took
		}
	}
	measured := 2 * float64(size) * float64(size) * float64(size) / fastest.Seconds()
	return Speed{
		FLOPS: shareOfProduct * measured,
		Assumption: fmt.Sprintf("%.0f %% of the speed of a product of %d × %d matrices, measured now (%.3g GFLOP/s)",
			100*shareOfProduct, size, size, measured/1e9),
	}, nil
}
