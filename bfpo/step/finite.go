package step

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// ErrNotFinite is wrapped by the error of a state with a value that is NaN or infinite.
var ErrNotFinite = errors.New("the state is not finite")

// checkFinite returns an error for the first float32 value of a tensor that is NaN or infinite. file is the name of its
// file in a checkpoint.
func checkFinite(file, tensor string, data []byte) error {
	t := safetensors.Tensor{Name: tensor, DType: dtypes.Float32, Bytes: data}
	if err := t.CheckFinite(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotFinite, file, err)
	}
	return nil
}
