package mistral

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets/edit"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Trainable returns the names of the tensors to train, in the order of Config.Tensors: the tensors whose name
// contains one of the patterns ("down_proj", "layers.3.", "norm"), like selected_layers in the original code.
// Without patterns it returns all names. A pattern that is empty or matches no tensor is an error.
func Trainable(c config.Config, patterns []string) ([]string, error) {
	var names []string
	for _, spec := range c.Tensors() {
		names = append(names, spec.Name)
	}
	if len(patterns) == 0 {
		return names, nil
	}
	for _, pattern := range patterns {
		if pattern == "" {
			return nil, errors.New("selected layer \"\": an empty name would select every tensor; " +
				"to train all tensors leave the list empty")
		}
		if !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(name, pattern) }) {
			return nil, fmt.Errorf("selected layer %q: no tensor of the model has this in its name (nearest: %s)",
				pattern, nearest(pattern, names))
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool { return strings.Contains(name, pattern) })
	}), nil
}

// LoadMasters returns float32 copies of the named tensors on the model's devices. They are read from the pretrained
// model rather than copied from Base, whose values may have been rounded. They may be donated to programs.
func LoadMasters(d *device.Device, m *Model, names []string) (*device.TensorSet, error) {
	specs := make([]config.TensorSpec, len(names))
	all := m.Config.Tensors()
	for i, name := range names {
		at := slices.IndexFunc(all, func(s config.TensorSpec) bool { return s.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("masters: the model has no tensor %s", name)
		}
		specs[i] = all[at]
	}
	mesh := m.Base.Mesh
	return upload(d, mesh, mesh.IsSharded, m.Pretrained, specs,
		func(config.TensorSpec) dtypes.DType { return dtypes.Float32 })
}

// nearest returns the part of a tensor name, between dots, with the smallest edit distance to the pattern.
func nearest(pattern string, names []string) string {
	best, least := "", 1<<30
	for _, name := range names {
		for part := range strings.SplitSeq(name, ".") {
			if n := edit.Distance(pattern, part); n < least {
				best, least = part, n
			}
		}
	}
	return best
}
