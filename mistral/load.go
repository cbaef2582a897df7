package mistral

import (
	"fmt"
	"runtime"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Model is a network with its weights on a device.
type Model struct {
	Config     config.Config
	Base       *device.Tensors        // every tensor, in the order of Config.Tensors; never changed by training
	Checkpoint *pretrained.Checkpoint // where the weights came from; stays open as long as Masters and Export need it
}

// Load puts the weights of a checkpoint on a device: matrices in dtype, norms ([D]) in float32. The checkpoint is checked against
// its config before anything is uploaded. Besides the weights on the device, no more than one tensor per processor core is held.
func Load(d *device.Device, c *pretrained.Checkpoint, dtype dtypes.DType) (*Model, error) {
	return LoadOn(d, nil, c, dtype)
}

// LoadOn is Load for the devices of a mesh. A device's part of a weight is read from the checkpoint's bytes and goes to that device alone.
func LoadOn(d *device.Device, mesh *device.Mesh, c *pretrained.Checkpoint, dtype dtypes.DType) (*Model, error) {
	if err := c.CheckTensors(); err != nil {
		return nil, err
	}
	specs := c.Config.Tensors()
	base, err := upload(d, mesh, mesh.CutsFrozen, c, specs, func(s config.TensorSpec) dtypes.DType {
		if len(s.Dims) == 1 {
			return dtypes.Float32
		}
		return dtype
	})
	if err != nil {
		return nil, err
	}
	c.ReleasePages() // the device has its own copy of the weights
	return &Model{Config: c.Config, Base: base, Checkpoint: c}, nil
}

// upload reads, converts and uploads tensors, several at a time, in parts where cut says so. After an error nothing stays on the devices.
func upload(d *device.Device, mesh *device.Mesh, cut func(name string, dims []int) bool, c *pretrained.Checkpoint, specs []config.TensorSpec,
	dtype func(config.TensorSpec) dtypes.DType) (*device.Tensors, error) {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	workers := runtime.GOMAXPROCS(0)
	scratch := make(chan []byte, workers) // for converted elements, which the device copies
	for range workers {
		scratch <- nil
	}
	return device.UploadAll(mesh, names, func(i int) ([]*tensors.Tensor, bool, error) {
		spec := specs[i]
		t, err := c.Tensor(spec.Name)
		if err != nil {
			return nil, false, err
		}
		to, cut, converted := dtype(spec), cut(spec.Name, spec.Dims), <-scratch
		defer func() { scratch <- converted }()
		row := len(t.Bytes) / spec.Dims[0]
		parts, err := d.UploadParts(mesh, shapes.Make(to, spec.Dims...), cut, func(first, end int) ([]byte, error) {
			elements, err := pretrained.Convert(safetensors.Tensor{Name: t.Name, DType: t.DType, Dims: t.Dims, Bytes: t.Bytes[first*row : end*row]}, to, converted)
			if t.DType != to && err == nil {
				converted = elements
			}
			return elements, err
		})
		if err != nil {
			return nil, false, fmt.Errorf("%s: tensor %s: %w", c.Path, spec.Name, err)
		}
		return parts, cut, nil
	})
}

// Close frees the weights on the device. The checkpoint stays open.
func (m *Model) Close() error { return m.Base.Finalize() }
