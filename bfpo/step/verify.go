package step

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/checkpoint"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// CheckFinite returns an error that wraps ErrNotFinite if a tensor of the checkpoint holds a value that is NaN or
// infinite. This version saves no such checkpoint; earlier ones did.
func CheckFinite(c *checkpoint.Checkpoint) error {
	for _, set := range new(State).sets() {
		path, err := c.FilePath(set.file)
		if err != nil {
			return err
		}
		if err := checkFileFinite(path, set.file); err != nil {
			return fmt.Errorf("checkpoint %s: %w", c.Path, err)
		}
	}
	return nil
}

func checkFileFinite(path, name string) error {
	file, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, tensor := range file.Names() {
		t, err := file.Tensor(tensor)
		if err != nil {
			return err
		}
		if t.DType != dtypes.Float32 {
			return fmt.Errorf("%s: tensor %s is %s, want float32", name, tensor, t.DType)
		}
		if err := checkFinite(name, tensor, t.Bytes); err != nil {
			return err
		}
	}
	return nil
}
