package mistral

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// network is a model that programs are built for: base weights and, for the policy, masters that replace some of them.
type network struct {
	config        config.Config
	base, masters *device.TensorSet // masters is nil for the base model
	dtype         dtypes.DType      // of the computation
	deviceNumber  int               // the device of the mesh whose copy of the weights is used
}

// perDevice returns the network once for each device of the base weights' mesh. Every device has all weights.
func (n network) perDevice() []network {
	each := make([]network, n.base.Mesh.Devices())
	for i := range each {
		each[i] = n
		each[i].deviceNumber = i
	}
	return each
}

// baseValues returns the base weights on the network's device.
func (n network) baseValues() []*tensors.Tensor { return n.base.Group()[n.deviceNumber] }

// masterValues returns the current masters on the network's device. Training replaces them at every step.
func (n network) masterValues() []*tensors.Tensor {
	if n.masters == nil {
		return nil
	}
	return n.masters.Group()[n.deviceNumber]
}

// policyWeights returns the policy's weights in a graph, given the nodes of the base weights and of the masters.
func (n network) policyWeights(base, masters []*Node) graph.Weights {
	w := graph.NewWeights(n.base.Names, base)
	if n.masters != nil {
		w = w.WithMasters(n.masters.Names, masters)
	}
	return w.WithDType(n.dtype)
}

// policyTensors returns the policy's current tensors by name: the master if there is one, else the base weight.
func (n network) policyTensors() map[string]*tensors.Tensor {
	byName := map[string]*tensors.Tensor{}
	for i, t := range n.baseValues() {
		byName[n.base.Names[i]] = t
	}
	for i, t := range n.masterValues() {
		byName[n.masters.Names[i]] = t
	}
	return byName
}

// selectTensors returns the tensors with the given names.
func selectTensors(byName map[string]*tensors.Tensor, names ...string) []*tensors.Tensor {
	values := make([]*tensors.Tensor, len(names))
	for i, name := range names {
		values[i] = byName[name]
	}
	return values
}

// checkTokens returns an error unless all ids are in the vocabulary.
func (n network) checkTokens(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= n.config.VocabSize {
			return fmt.Errorf("token %d at position %d is outside the vocabulary of %d", id, i, n.config.VocabSize)
		}
	}
	return nil
}
