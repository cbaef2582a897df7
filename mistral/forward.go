package mistral

import (
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Input is a batch of token rows, int32 [B, S] each. Segments and Positions are those of graph.Places.
type Input struct {
	Tokens, Positions, Segments *Node
}

// Hidden runs the network over a batch and returns the hidden states after the final norm, [B, S, D] in the dtype of w's
// embedding. The states of padding are finite and mean nothing.
//
// The backward pass keeps the inputs of the matrix products and computes what lies between them again. With remat it keeps only the
// input of each layer and of its MLP: less memory for about a fifth more work.
func Hidden(c config.Config, w graph.Weights, in Input, remat bool) *Node {
	places := graph.Places{Segments: in.Segments, Positions: in.Positions}
	mask := graph.Mask(places, places, c.SlidingWindow) // [B, S, S]
	attend := func(w graph.Weights, _ int, q, k, v *Node) *Node { return w.SelfAttention(q, k, v, mask) }
	return hiddenStates(c, w, in.Tokens, in.Positions, attend, remat)
}

// hidden is Hidden for tokens and positions [B, S] with the attention of each layer (see layerView) left to the caller.
func hiddenStates(c config.Config, w graph.Weights, tokens, positions *Node, attend attentionFunc, remat bool) *Node {
	rotary := rotaryTables(c, positions)
	return finalNorm(c, w, runLayers(c, w, embed(w.Get(config.EmbedTokens), tokens), rotary, attend, remat))
}

// attention is that of one layer: see layerView.
type attentionFunc func(w graph.Weights, layer int, q, k, v *Node) *Node

// layers is what all layers make of x [B, S, D].
func runLayers(c config.Config, w graph.Weights, x *Node, rotary graph.Rotary, attend attentionFunc, remat bool) *Node {
	for layer := range c.NumHiddenLayers {
		parts := []func(w graph.Weights, x *Node) *Node{
			func(w graph.Weights, x *Node) *Node {
				l := decoderLayer{c, w, layer}
				q, k, v := l.projectQKV(x, rotary)
				return l.attentionResidual(x, attend(w, layer, q, k, v))
			},
			func(w graph.Weights, x *Node) *Node { return decoderLayer{c, w, layer}.mlpResidual(x) },
		}
		for _, part := range parts {
			if remat { // each by itself: so that attention need not be computed again for the MLP
				x = w.Recomputed(config.LayerPrefix(layer), x, part)
			} else {
				x = part(w, x)
			}
		}
	}
	return x
}

// finalStates are the hidden states after the final norm, for what the last layer says.
func finalNorm(c config.Config, w graph.Weights, x *Node) *Node {
	return ConvertDType(w.RMSNorm(x, config.FinalNorm, c.RMSNormEps), w.Get(config.EmbedTokens).DType())
}

// embeddingRows returns the rows of the embedding [V, D] for tokens [B, S], as layers take them: [B, S, D].
func embed(embedding, tokens *Node) *Node {
	return ConvertDType(Gather(embedding, InsertAxes(tokens, -1)), dtypes.Float32)
}

// Head returns the output matrix [V, D]: its own, or the embedding when the two are tied.
func Head(c config.Config, w graph.Weights) *Node {
	return w.Get(HeadName(c))
}

// HeadName returns the name of the tensor that is the output matrix.
func HeadName(c config.Config) string {
	if c.TieWordEmbeddings {
		return config.EmbedTokens
	}
	return config.LMHead
}

// rotary returns the tables for positions [B, S] under c's scaling, which Validate has checked.
func rotaryTables(c config.Config, positions *Node) graph.Rotary {
	freqs := graph.RotaryFrequencies(c.HeadDim, c.RopeTheta)
	switch s := c.RopeScaling; s.Type {
	case "linear":
		freqs = graph.LinearScaling(freqs, s.Factor)
	case "llama3":
		freqs = graph.Llama3Scaling(freqs, s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.OriginalMaxPosition)
	}
	return graph.NewRotary(positions, freqs)
}
