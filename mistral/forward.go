package mistral

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Input is a batch of token rows, each tensor int32 [B, S]. Segments and Positions have the meaning they have in
// graph.Layout.
type Input struct {
	Tokens, Positions, Segments *Node
}

// Hidden computes the hidden states after the final norm for a batch: [B, S, D] in the dtype of w's embedding. The
// states at padding are finite but meaningless.
//
// The backward pass keeps the inputs of the matrix products and recomputes what is between them. With remat it
// keeps only the input of each layer and of each MLP, which takes less memory and about a fifth more work.
func Hidden(c config.Config, w graph.Weights, in Input, remat bool) *Node {
	places := graph.Layout{Segments: in.Segments, Positions: in.Positions}
	mask := graph.Mask(places, places, c.SlidingWindow) // [B, S, S]
	attend := func(w graph.Weights, _ int, q, k, v *Node) *Node { return w.SelfAttention(q, k, v, mask) }
	return hiddenStates(c, w, in.Tokens, in.Positions, attend, remat)
}

// hiddenStates is Hidden for tokens and positions [B, S] with the attention given by attend.
func hiddenStates(c config.Config, w graph.Weights, tokens, positions *Node, attend attentionFunc, remat bool) *Node {
	x := embed(w.Get(config.EmbedTokens), tokens)
	return finalNorm(c, w, runLayers(c, w, x, rotaryTables(c, positions), attend, remat))
}

// attentionFunc computes the attention of a layer from its queries [B, S, H, hd] and its keys and values [B, S, K,
// hd]. It returns [B, S, H*hd]. Training attends to the keys of the batch, generation also to those in the cache.
type attentionFunc func(w graph.Weights, layer int, q, k, v *Node) *Node

// runLayers applies all decoder layers to x [B, S, D].
func runLayers(c config.Config, w graph.Weights, x *Node, rotary graph.Rotary, attend attentionFunc, remat bool) *Node {
	for layer := range c.NumHiddenLayers {
		attention := func(w graph.Weights, x *Node) *Node {
			l := decoderLayer{c, w, layer}
			q, k, v := l.projectQKV(x, rotary)
			return l.attentionResidual(x, attend(w, layer, q, k, v))
		}
		mlp := func(w graph.Weights, x *Node) *Node { return decoderLayer{c, w, layer}.mlpResidual(x) }
		// Attention and MLP are recomputed separately, so that the MLP's gradient does not need the attention again.
		for _, part := range []func(w graph.Weights, x *Node) *Node{attention, mlp} {
			if remat {
				x = w.RematLayer(config.LayerPrefix(layer), x, part)
			} else {
				x = part(w, x)
			}
		}
	}
	return x
}

// finalNorm applies the final norm to the output of the last layer. The result has the dtype of the embedding.
func finalNorm(c config.Config, w graph.Weights, x *Node) *Node {
	return ConvertDType(w.RMSNorm(x, config.FinalNorm, c.RMSNormEps), w.Get(config.EmbedTokens).DType())
}

// embed looks up tokens [B, S] in the embedding [V, D]. The result is float32 [B, S, D], which the layers expect.
func embed(embedding, tokens *Node) *Node {
	return ConvertDType(Gather(embedding, InsertAxes(tokens, -1)), dtypes.Float32)
}

// Head returns the weights of the LM head, [V, D]. With tied embeddings they are the embedding.
func Head(c config.Config, w graph.Weights) *Node {
	return w.Get(HeadName(c))
}

// HeadName returns the name of the tensor that serves as the LM head.
func HeadName(c config.Config) string {
	if c.TieWordEmbeddings {
		return config.EmbedTokens
	}
	return config.LMHead
}

// rotaryTables returns the rotary tables for positions [B, S] under c's scaling, which Validate has checked.
func rotaryTables(c config.Config, positions *Node) graph.Rotary {
	return graph.NewScaledRotary(positions, rotaryFrequencies(c), c.RopeScaling.AttentionScale())
}

// rotaryFrequencies returns the rotary frequencies under c's scaling. Dynamic scaling changes nothing within
// max_position_embeddings, and longer rows are refused everywhere.
func rotaryFrequencies(c config.Config) []float64 {
	freqs := graph.RotaryFrequencies(c.HeadDim, c.RopeTheta)
	switch s := c.RopeScaling; s.Type {
	case config.RopeLinear:
		freqs = graph.LinearScaling(freqs, s.Factor)
	case config.RopeLlama3:
		freqs = graph.Llama3Scaling(freqs, s.Factor, s.LowFreqFactor, s.HighFreqFactor, s.OriginalMaxPosition)
	case config.RopeYaRN:
		freqs = graph.YaRNScaling(freqs, c.RopeTheta, s.Factor, s.BetaFast, s.BetaSlow, s.OriginalMaxPosition,
			s.KeepsFractionalBounds)
	}
	if len(c.RopeFactors) > 0 {
		freqs = graph.DivideFrequencies(freqs, c.RopeFactors)
	}
	return freqs
}
