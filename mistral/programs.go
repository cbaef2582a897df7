package mistral

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
)

// deviceGenerator holds the programs by which one device generates.
type deviceGenerator struct {
	network
	cast, prefill, grow, insert, greedy, decode *device.Program
	compiling                                   sync.WaitGroup // programs that are compiled in the background
}

func newGenerator(d *device.Device, n network) *deviceGenerator {
	c, dtype := n.config, n.dtype
	return &deviceGenerator{
		network: n,
		cast: device.NewProgram(d, "cast", func(in [][]*Node) [][]*Node {
			return [][]*Node{castMatrices(in[0], dtype)}
		}),
		prefill: device.NewProgram(d, "prefill", func(in [][]*Node) [][]*Node {
			logits, cache := prefill(c, n.policyWeights(in[0], in[1]).ForInference(), in[2][0], in[2][1])
			return [][]*Node{{logits}, cache}
		}),
		grow: device.NewProgram(d, "grow_cache", func(in [][]*Node) [][]*Node {
			rows, columns := in[0][0], in[0][1] // only their sizes matter
			return [][]*Node{growCache(rows.Graph(), c, dtype, rows.Shape().Size(), columns.Shape().Size(), in[1])}
		}, 1),
		insert: device.NewProgram(d, "insert_row", func(in [][]*Node) [][]*Node {
			return [][]*Node{insertRow(in[0][0], in[1], in[2])}
		}, 1, 2),
		greedy: device.NewProgram(d, "greedy_run", n.greedyRun, 3),
		decode: device.NewProgram(d, "decode", func(in [][]*Node) [][]*Node {
			logits, cache := decode(c, n.policyWeights(in[0], in[1]).ForInference(), in[2][0], in[2][1], in[3])
			return [][]*Node{{logits}, cache}
		}, 3),
	}
}

// close waits for the programs that are being compiled and frees all of them.
func (g *deviceGenerator) close() {
	g.compiling.Wait()
	for _, p := range []*device.Program{g.cast, g.prefill, g.grow, g.insert, g.greedy, g.decode} {
		p.Close()
	}
}

// checkPrompt returns an error unless the network can continue the prompt.
func (g *deviceGenerator) checkPrompt(ids []int32) error {
	if len(ids) == 0 {
		return errors.New("the prompt is empty: there is nothing to continue (begin it with the BOS token)")
	}
	if limit := g.config.MaxPositionEmbeddings; len(ids) >= limit {
		return fmt.Errorf("the prompt has %d tokens and the model %d positions (max_position_embeddings): "+
			"none is left for an answer", len(ids), limit)
	}
	return g.checkTokens(ids)
}

// castMasters returns the masters in the dtype of the computation, so that they are not converted at every step,
// and a function that frees the converted tensors.
func (g *deviceGenerator) castMasters() (masters []*tensors.Tensor, release func(), err error) {
	masters = g.masterValues()
	if !slices.ContainsFunc(masters, func(t *tensors.Tensor) bool { return t.Rank() > 1 && t.DType() != g.dtype }) {
		return masters, func() {}, nil
	}
	out, err := g.cast.Call(masters)
	if err != nil {
		return nil, nil, err
	}
	return out[0], func() { finalize(out[0]) }, nil
}

// castMatrices converts all weights but the vectors, which are the weights of norms, to dtype.
func castMatrices(weights []*Node, dtype dtypes.DType) []*Node {
	cast := slices.Clone(weights)
	for i, w := range cast {
		if w.Rank() > 1 {
			cast[i] = ConvertDType(w, dtype)
		}
	}
	return cast
}

// finalize frees tensors now, since the garbage collector does not see how much device memory they hold.
func finalize(values []*tensors.Tensor) {
	for _, t := range values {
		_ = t.FinalizeAll() // nobody uses the tensor any more, so an error changes nothing
	}
}
