package mistral

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Planned is the model as Load would put it on a mesh, without its weights: enough to compile programs for.
func Planned(c config.Config, m *device.Mesh, dtype dtypes.DType) *Model {
	base := &device.Tensors{Mesh: m}
	for _, s := range c.Tensors() {
		to := dtype
		if len(s.Dims) == 1 {
			to = dtypes.Float32
		}
		base.Plan(s.Name, shapes.Make(to, s.Dims...), m.CutsFrozen(s.Name, s.Dims))
	}
	return &Model{Config: c, Base: base}
}

// PlannedMasters are the shapes of what Masters returns.
func PlannedMasters(model *Model, names []string) *device.Tensors {
	m := model.Base.Mesh
	masters := &device.Tensors{Mesh: m}
	for _, name := range names {
		whole := model.Base.Shape(model.Base.Index(name))
		masters.Plan(name, shapes.Make(dtypes.Float32, whole.Dimensions...), m.Cuts(name, whole.Dimensions))
	}
	return masters
}
