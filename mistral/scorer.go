package mistral

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// deviceScorer holds the programs by which one device scores. All layers are calls of one program, so that a new
// shape costs the compilation of one layer rather than of the whole network.
type deviceScorer struct {
	network
	embed, layer, head *device.Program
}

func newScorer(d *device.Device, n network) deviceScorer {
	c := n.config
	s := deviceScorer{
		network: n,
		embed: device.NewProgram(d, "score_begin", func(in [][]*Node) [][]*Node {
			tokens, positions, places := in[1][0], in[1][1], graph.Layout{Segments: in[1][2]}
			r := rotaryTables(c, positions)
			return [][]*Node{{embed(in[0][0], tokens)}, {r.Cos, r.Sin, graph.Mask(places, places, c.SlidingWindow)}}
		}),
		layer: device.NewProgram(d, "score_layer", func(in [][]*Node) [][]*Node {
			w := graph.NewWeights(config.LayerTensorNames(0), in[0]).WithDType(n.dtype)
			x, rotary, mask := in[1][0], graph.Rotary{Cos: in[2][0], Sin: in[2][1]}, in[2][2]
			l := decoderLayer{c, w, 0}
			q, k, v := l.projectQKV(x, rotary)
			attended := attendInRows(w, []*Node{q, k, v}, mask, in[3][0], in[3][1])
			return [][]*Node{{l.mlpResidual(l.attentionResidual(x, attended))}}
		}, 1),
		head: device.NewProgram(d, "score_head", func(in [][]*Node) [][]*Node {
			w := graph.NewWeights([]string{config.FinalNorm, config.LMHead}, in[0]).WithDType(n.dtype)
			x, index, labels := in[1][0], in[2][0], in[2][1]
			h := w.RMSNorm(graph.GatherRows(x, index), config.FinalNorm, c.RMSNormEps) // [C, D]
			logp, greedy := graph.GreedyLogProbs(ConvertDType(h, n.dtype), labels, w.Get(config.LMHead))
			return [][]*Node{{logp, greedy}}
		}),
	}
	return s
}

// attendInRows arranges tokens in rows, computes their self-attention with mask [B, S, S], and returns the
// attention output in the order of the tokens, [1, T, H*hd]. qkv are the queries, keys and values [1, T, heads,
// hd]; rowTokens [B, S] and tokenPlaces [T] are those of a scoreBatch.
func attendInRows(w graph.Weights, qkv []*Node, mask, rowTokens, tokenPlaces *Node) *Node {
	rows := make([]*Node, len(qkv))
	for i, x := range qkv {
		rows[i] = Gather(Squeeze(x, 0), InsertAxes(rowTokens, -1)) // [B, S, heads, hd]
	}
	return InsertAxes(graph.GatherRows(w.SelfAttention(rows[0], rows[1], rows[2], mask), tokenPlaces), 0)
}

// hiddenStates runs the network over a batch and returns the output of the last layer, [1, T, D].
func (s deviceScorer) hiddenStates(b *scoreBatch) ([]*tensors.Tensor, error) {
	inputs, indices := b.inputs(), b.rowIndices()
	defer finalize(slices.Concat(inputs, indices))
	weights := s.policyTensors()
	embedded, err := s.embed.Call(selectTensors(weights, config.EmbedTokens), inputs)
	if err != nil {
		return nil, err
	}
	x, tables := embedded[0], embedded[1]
	defer finalize(tables)
	for layer := range s.config.NumHiddenLayers {
		out, err := s.layer.Call(selectTensors(weights, config.LayerTensorNames(layer)...), x, tables, indices)
		if err != nil {
			return nil, err
		}
		x = out[0]
	}
	return x, nil
}

// logProbs returns the log-probability of each target and whether it is the most probable token, given the output
// of hiddenStates and the targets' predictors and labels.
func (s deviceScorer) logProbs(x, targets []*tensors.Tensor) (logp []float32, greedy []bool, err error) {
	defer finalize(targets)
	out, err := s.head.Call(selectTensors(s.policyTensors(), config.FinalNorm, HeadName(s.config)), x, targets)
	if err != nil {
		return nil, nil, err
	}
	defer finalize(out[0])
	if logp, err = tensors.CopyFlatData[float32](out[0][0]); err != nil {
		return nil, nil, err
	}
	greedy, err = tensors.CopyFlatData[bool](out[0][1])
	return logp, greedy, err
}

// close frees the programs.
func (s deviceScorer) close() {
	for _, p := range []*device.Program{s.embed, s.layer, s.head} {
		p.Close()
	}
}
