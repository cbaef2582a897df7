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
	base, masters *device.Tensors // overlay may be nil
	dtype         dtypes.DType    // of the computation
	deviceNumber        int             // of the device whose weights count
}

// onEach returns the network as each device of the mesh sees it that the base lies on; all have all of it.
func (n network) perDevice() []network {
	each := make([]network, n.base.Mesh.Devices())
	for i := range each {
		each[i] = n
		each[i].deviceNumber = i
	}
	return each
}

// weights returns the base's tensors.
func (n network) baseValues() []*tensors.Tensor { return n.base.Group()[n.deviceNumber] }

// view returns the policy's view of the nodes of base and overlay.
func (n network) policyWeights(base, overlay []*Node) graph.Weights {
	w := graph.NewWeights(n.base.Names, base)
	if n.masters != nil {
		w = w.Overlay(n.masters.Names, overlay)
	}
	return w.WithDType(n.dtype)
}

// trained returns the overlay's tensors as they are now; training replaces them at each step.
func (n network) masterValues() []*tensors.Tensor {
	if n.masters == nil {
		return nil
	}
	return n.masters.Group()[n.deviceNumber]
}

// seen returns the tensors by their names as the policy sees them now: the trained one where there is one.
func (n network) policyTensors() map[string]*tensors.Tensor {
	seen := map[string]*tensors.Tensor{}
	for i, t := range n.baseValues() {
		seen[n.base.Names[i]] = t
	}
	for i, t := range n.masterValues() {
		seen[n.masters.Names[i]] = t
	}
	return seen
}

// called returns the tensors of these names.
func selectTensors(all map[string]*tensors.Tensor, names ...string) []*tensors.Tensor {
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
