package step

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// CheckTensors checks a file of a checkpoint: it has exactly the tensors in specs, all of float32, and every value is
// finite. The error names the tensor.
func CheckTensors(file *safetensors.File, specs []config.TensorSpec) error {
	known := map[string]bool{}
	for _, spec := range specs {
		known[spec.Name] = true
		t, err := file.Tensor(spec.Name)
		if err != nil {
			return errors.New("tensor " + spec.Name + " is missing: the checkpoint is not of this recipe and model")
		}
		if t.DType != dtypes.Float32 || !slices.Equal(t.Dims, spec.Dims) {
			return fmt.Errorf("tensor %s is %s %v, the model wants float32 %v", spec.Name, t.DType, t.Dims, spec.Dims)
		}
		if err := safetensors.CatchFaults(t.CheckFinite); err != nil {
			return fmt.Errorf("%w: the training had diverged when this was saved, use an earlier checkpoint", err)
		}
	}
	for _, name := range file.Names() {
		if !known[name] {
			return fmt.Errorf("tensor %s is not one that this recipe trains: the checkpoint is of another recipe or model",
				name)
		}
	}
	return nil
}
