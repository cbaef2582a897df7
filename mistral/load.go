package mistral

import (
	"fmt"
	"runtime"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Model is a network whose base weights are on a device or on the devices of a mesh.
type Model struct {
	Config     config.Config     // EOSTokenIDs are all tokens at which generation stops
	Base       *device.TensorSet // the base weights in the order of Config.Tensors; training does not change them
	Pretrained *pretrained.Model // the source of the weights; LoadMasters and Export need it open
}

// Load puts the weights of a pretrained model on a device: the matrices in dtype, the norms ([D]) in float32. It checks
// them against the model's config before it uploads anything. At most one tensor per processor core is in memory
// at a time.
func Load(d *device.Device, c *pretrained.Model, dtype dtypes.DType) (*Model, error) {
	return LoadOnMesh(d, nil, c, dtype)
}

// LoadOnMesh is Load for the devices of a mesh. Each device gets only its own shard of a sharded weight, read from the
// model's files.
func LoadOnMesh(d *device.Device, mesh *device.Mesh, c *pretrained.Model, dtype dtypes.DType) (*Model, error) {
	if err := c.CheckTensors(); err != nil {
		return nil, err
	}
	specs := c.Config.Tensors()
	base, err := upload(d, mesh, mesh.IsFrozenSharded, c, specs, func(s config.TensorSpec) dtypes.DType {
		if len(s.Dims) == 1 {
			return dtypes.Float32
		}
		return dtype
	})
	if err != nil {
		return nil, err
	}
	c.ReleasePages() // the device has its own copy of the weights
	m := &Model{Config: c.Config, Base: base, Pretrained: c}
	m.Config.EOSTokenIDs = c.EndTokens()
	return m, nil
}

// upload reads tensors, converts them to their dtype and uploads them, several at a time. It shards the tensors for
// which sharded returns true. After an error nothing stays on the devices.
func upload(d *device.Device, mesh *device.Mesh, sharded func(name string, dims []int) bool, c *pretrained.Model,
	specs []config.TensorSpec, dtype func(config.TensorSpec) dtypes.DType) (*device.TensorSet, error) {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	workers := runtime.GOMAXPROCS(0)
	scratch := make(chan []byte, workers) // buffers for converted elements, which the device copies
	for range workers {
		scratch <- nil
	}
	return device.UploadAll(mesh, names, func(i int) ([]*tensors.Tensor, bool, error) {
		spec := specs[i]
		t, err := c.Tensor(spec.Name)
		if err == nil {
			err = c.CheckUnchanged(t)
		}
		if err != nil {
			return nil, false, err
		}
		to, shard, buffer := dtype(spec), sharded(spec.Name, spec.Dims), <-scratch
		defer func() { scratch <- buffer }()
		row := len(t.Bytes) / spec.Dims[0] // bytes
		parts, err := d.UploadOnMesh(mesh, shapes.Make(to, spec.Dims...), shard, func(first, end int) ([]byte, error) {
			rows := safetensors.Tensor{Name: t.Name, DType: t.DType, Dims: t.Dims, Bytes: t.Bytes[first*row : end*row]}
			elements, err := pretrained.ConvertCopy(rows, to, buffer)
			if err == nil {
				buffer = elements
			}
			return elements, err
		})
		if err != nil {
			return nil, false, fmt.Errorf("%s: tensor %s: %w", c.Path, spec.Name, err)
		}
		return parts, shard, nil
	})
}

// Close frees the weights on the device. The pretrained model stays open.
func (m *Model) Close() error { return m.Base.Finalize() }
