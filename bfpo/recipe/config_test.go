package recipe

import (
	"testing"

	"github.com/gomlx/compute/dtypes"
)

func TestDTypes(t *testing.T) {
	for _, c := range []struct {
		config        Config
		fast          bool
		model         string
		compute, disk dtypes.DType
	}{
		{Config{}, true, "bfloat16", dtypes.Float32, dtypes.Float32},
		{Config{BF16: true}, false, "bfloat16", dtypes.BFloat16, dtypes.Float32},
		{Config{TorchDType: "bfloat16"}, false, "float32", dtypes.BFloat16, dtypes.BFloat16},
		{Config{TorchDType: "float32"}, true, "bfloat16", dtypes.Float32, dtypes.Float32},
		{Config{TorchDType: "auto"}, true, "float32", dtypes.BFloat16, dtypes.Float32},
		{Config{TorchDType: "auto"}, false, "bfloat16", dtypes.Float32, dtypes.BFloat16},
	} {
		compute, disk := c.config.ComputeDType(c.fast), c.config.ExportDType(c.model)
		if compute != c.compute || disk != c.disk {
			t.Errorf("%+v: computes in %s, writes %s; want %s and %s", c, compute, disk, c.compute, c.disk)
		}
	}
}
