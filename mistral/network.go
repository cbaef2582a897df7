package mistral

import (
	"fmt"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// network is a model that programs are built for: its base weights and, in front of them, trained ones.
type network struct {
	config        config.Config
	base, overlay *device.Tensors // overlay may be nil
	dtype         dtypes.DType    // of the computation
	number        int             // of the device whose weights count
}

// onEach returns the network as each device of the mesh sees it that the base lies on; all have all of it.
func (n network) onEach() []network {
	each := make([]network, n.base.Mesh.Devices())
	for i := range each {
		each[i] = n
		each[i].number = i
	}
	return each
}

// weights returns the base's tensors.
func (n network) weights() []*tensors.Tensor { return n.base.Group()[n.number] }

// view returns the policy's view of the nodes of base and overlay.
func (n network) view(base, overlay []*Node) graph.Weights {
	w := graph.NewWeights(n.base.Names, base)
	if n.overlay != nil {
		w = w.Overlay(n.overlay.Names, overlay)
	}
	return w.WithDType(n.dtype)
}

// trained returns the overlay's tensors as they are now; training replaces them at each step.
func (n network) trained() []*tensors.Tensor {
	if n.overlay == nil {
		return nil
	}
	return n.overlay.Group()[n.number]
}

// seen returns the tensors by their names as the policy sees them now: the trained one where there is one.
func (n network) seen() map[string]*tensors.Tensor {
	seen := map[string]*tensors.Tensor{}
	for i, t := range n.weights() {
		seen[n.base.Names[i]] = t
	}
	for i, t := range n.trained() {
		seen[n.overlay.Names[i]] = t
	}
	return seen
}

// called returns the tensors of these names.
func called(all map[string]*tensors.Tensor, names ...string) []*tensors.Tensor {
	values := make([]*tensors.Tensor, len(names))
	for i, name := range names {
		values[i] = all[name]
	}
	return values
}

// checkTokens returns an error unless all ids are tokens of the vocabulary.
func (n network) checkTokens(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= n.config.VocabSize {
			return fmt.Errorf("token %d at place %d is outside the vocabulary of %d", id, i, n.config.VocabSize)
		}
	}
	return nil
}
