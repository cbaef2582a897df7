package mistral

import (
	"slices"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// scorer is what one device does of a Scorer. All layers are calls of one program, so that a shape costs a layer's
// compilation instead of a whole network's.
type deviceScorer struct {
	network
	embed, layer, head *device.Program
}

func newScorer(d *device.Device, n network) deviceScorer {
	c := n.config
	s := deviceScorer{
		network: n,
		embed: device.NewProgram(d, "score_begin", func(in [][]*Node) [][]*Node {
			tokens, positions, rows := in[1][0], in[1][1], graph.Places{Segments: in[1][2]}
			r := rotaryTables(c, positions)
			return [][]*Node{{embed(in[0][0], tokens)}, {r.Cos, r.Sin, graph.Mask(rows, rows, c.SlidingWindow)}}
		}),
		layer: device.NewProgram(d, "score_layer", func(in [][]*Node) [][]*Node {
			w := graph.NewWeights(config.LayerTensorNames(0), in[0]).WithDType(n.dtype)
			x, rotary, mask := in[1][0], graph.Rotary{Cos: in[2][0], Sin: in[2][1]}, in[2][2]
			l := decoderLayer{c, w, 0}
			q, k, v := l.projectQKV(x, rotary)
			return [][]*Node{{l.mlpResidual(l.attentionResidual(x, attendInRows(w, []*Node{q, k, v}, mask, in[3][0], in[3][1])))}}
		}, 1),
		head: device.NewProgram(d, "score_head", func(in [][]*Node) [][]*Node {
			w := graph.NewWeights([]string{config.FinalNorm, config.LMHead}, in[0]).WithDType(n.dtype)
			x, index, labels := in[1][0], in[2][0], in[2][1]
			h := ConvertDType(w.RMSNorm(graph.PickRows(x, index), config.FinalNorm, c.RMSNormEps), n.dtype) // [C, D]
			logp, greedy := graph.GreedyLogProbs(h, labels, w.Get(config.LMHead))
			return [][]*Node{{logp, greedy}}
		}),
	}
	return s
}

// attendInRows is SelfAttention for tokens that lie in rows for it alone: q, k and v are [1, T, heads, hd], filling
// [B, S] and origin [T] say which token lies where and where a token lies, and mask [B, S, S] what is seen. It
// returns [1, T, H*hd].
func attendInRows(w graph.Weights, qkv []*Node, mask, filling, origin *Node) *Node {
	rows := make([]*Node, len(qkv))
	for i, x := range qkv {
		rows[i] = Gather(Squeeze(x, 0), InsertAxes(filling, -1)) // [B, S, heads, hd]
	}
	return InsertAxes(graph.PickRows(w.SelfAttention(rows[0], rows[1], rows[2], mask), origin), 0)
}

// compute runs the network over a batch and returns what comes out of its last layer, [1, T, D].
func (s deviceScorer) hiddenStates(b *scoreBatch) ([]*tensors.Tensor, error) {
	read, layout := b.inputs(), b.rowIndices()
	defer finalize(slices.Concat(read, layout))
	seen := s.policyTensors()
	begun, err := s.embed.Call(selectTensors(seen, config.EmbedTokens), read)
	if err != nil {
		return nil, err
	}
	x, around := begun[0], begun[1]
	defer finalize(around)
	for layer := range s.config.NumHiddenLayers {
		out, err := s.layer.Call(selectTensors(seen, config.LayerTensorNames(layer)...), x, around, layout)
		if err != nil {
			return nil, err
		}
		x = out[0]
	}
	return x, nil
}

// predicted returns the log-probabilities of targets, places and labels, after what compute returned, and whether
// they are the most probable tokens.
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

func (s deviceScorer) close() {
	for _, p := range []*device.Program{s.embed, s.layer, s.head} {
		p.Close()
	}
}
