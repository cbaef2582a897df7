package mistral

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// PlanModel returns the model that Load would put on a mesh, with shapes instead of weights. Programs can be compiled
// for it.
func PlanModel(c config.Config, m *device.Mesh, dtype dtypes.DType) *Model {
	base := &device.TensorSet{Mesh: m}
	for _, s := range c.Tensors() {
		to := dtype
		if len(s.Dims) == 1 {
			to = dtypes.Float32
		}
		base.AddPlanned(s.Name, shapes.Make(to, s.Dims...), m.IsFrozenSharded(s.Name, s.Dims))
	}
	return &Model{Config: c, Base: base}
}

// PlanMasters returns the masters that LoadMasters would return for a planned model, with shapes instead of values.
func PlanMasters(model *Model, names []string) *device.TensorSet {
	m := model.Base.Mesh
	masters := &device.TensorSet{Mesh: m}
	for _, name := range names {
		whole := model.Base.Shape(model.Base.Index(name))
		masters.AddPlanned(name, shapes.Make(dtypes.Float32, whole.Dimensions...), m.IsSharded(name, whole.Dimensions))
	}
	return masters
}
