package graph

import (
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// DecoderRows is the number of tokens up to which reading the weights is what takes a processor its time.
const DecoderRows = 16

// DecoderStep is what all layers of a decoder do with the next tokens of some rows, in words that package pjrt knows: see CalledDecoder.
type DecoderStep struct {
	X      *Node // [B, S, D] float32: the embeddings
	Now    *Node // int32 [B, S]: the columns of the cache that the tokens take
	Rotary Rotary
	Mask   *Node // [B, S, T]
	Eps    float64
	Layers []DecoderLayer
}

// DecoderLayer is one of them.
type DecoderLayer struct {
	Keys, Values *Node // of the cache, before: [B, K, T, hd] and [B, K, hd, T]
	// Weights are input norm, Q, K, V, O, post-attention norm, gate, up and down.
	Weights [9]*Node
}

// CalledDecoder returns y [B, S, D], what the last layer says, and the cache, keys and values of each layer, as given. It tells package pjrt that this is
// what the step computes, so that all layers can be a single call, which reads the weights as fast as memory gives them. Where there is no such
// call, y and cache are computed as they stand.
func (w Weights) CalledDecoder(step DecoderStep, y *Node, cache []*Node) (*Node, []*Node) {
	if w.mesh != nil || !step.callable() {
		return y, cache
	}
	in := []*Node{step.X, step.Now, step.Rotary.Cos, step.Rotary.Sin, step.Mask, Const(y.Graph(), float32(step.Eps))}
	for _, l := range step.Layers {
		in = append(append(in, l.Keys, l.Values), l.Weights[:]...)
	}
	results := marked(mlir.DecoderMarker, append([]*Node{y}, cache...), in...)
	return results[0], results[1:]
}

// callable tells whether package pjrt may put a call there: few tokens, whole matrices of one kind and norms of one, and widths that it can do.
func (s DecoderStep) callable() bool {
	if onGPU(s.X) || s.X.Shape().Dim(0)*s.X.Shape().Dim(1) > DecoderRows || s.Mask.Shape().Dim(0) != s.X.Shape().Dim(0) {
		return false
	}
	first := s.Layers[0]
	for _, l := range s.Layers {
		if !divides(l.Keys.Shape().Dim(2)) || !divides(l.Keys.Shape().Dim(3)) {
			return false
		}
		for _, weight := range l.Weights {
			like := first.Keys
			if weight.Rank() == 1 {
				like = first.Weights[0]
			}
			if dtype := weight.DType(); dtype != like.DType() || dtype != dtypes.Float32 && dtype != dtypes.BFloat16 {
				return false
			}
			if !divides(weight.Shape().Dim(0)) || !divides(weight.Shape().Dim(-1)) {
				return false
			}
		}
	}
	return true
}

// divides tells whether there are calls for such a width.
func divides(n int) bool { return n%mlir.CallWidth == 0 }
