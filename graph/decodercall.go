package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// MaxFusedTokens is the largest number of tokens in a fused decoder step. For so few tokens, a processor spends its
// time on reading the weights.
const MaxFusedTokens = 16

// DecoderStep holds the inputs of a decoder step, which computes all layers of a network for the next tokens of
// some rows. See FuseDecoder.
type DecoderStep struct {
	X            *Node // [B, S, D] float32: the embeddings
	CacheColumns *Node // int32 [B, S]: the columns of the KV cache for the tokens
	Rotary       Rotary
	Mask         *Node // [B, S, T]
	Eps          float64
	Layers       []DecoderLayer
}

// DecoderLayer holds one layer's inputs of a decoder step.
type DecoderLayer struct {
	Keys, Values *Node // the KV cache before the step: [B, K, T, hd] and [B, K, hd, T]
	// Weights are the input norm, the Q, K, V and O projections, the post-attention norm, and gate, up and down.
	Weights [9]*Node
}

// FuseDecoder returns y [B, S, D], the output of the last layer, and the updated KV cache (keys and values of each
// layer) as they are given. It marks them as the results of the step, so that package pjrt can replace all layers by
// one kernel call that reads the weights at the speed of memory. Without a kernel, y and cache are computed as built.
func (w Weights) FuseDecoder(step DecoderStep, y *Node, cache []*Node) (*Node, []*Node) {
	if w.mesh != nil || !step.hasCall() {
		return y, cache
	}
	eps := Const(y.Graph(), float32(step.Eps))
	in := []*Node{step.X, step.CacheColumns, step.Rotary.Cos, step.Rotary.Sin, step.Mask, eps}
	for _, l := range step.Layers {
		in = append(append(in, l.Keys, l.Values), l.Weights[:]...)
	}
	results := markCall(mlir.DecoderMarker, append([]*Node{y}, cache...), in...)
	return results[0], results[1:]
}

// hasCall reports whether package pjrt may replace the step by a kernel call: few tokens, the same dtype for all
// matrices and for all norms, and widths that the kernels take.
func (s DecoderStep) hasCall() bool {
	rows, tokens := s.X.Shape().Dim(0), s.X.Shape().Dim(1)
	if onGPU(s.X) || rows*tokens > MaxFusedTokens || s.Mask.Shape().Dim(0) != rows {
		return false
	}
	first := s.Layers[0]
	for _, l := range s.Layers {
		if !fitsKernels(l.Keys.Shape().Dim(2)) || !fitsKernels(l.Keys.Shape().Dim(3)) {
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
			if !fitsKernels(weight.Shape().Dim(0)) || !fitsKernels(weight.Shape().Dim(-1)) {
				return false
			}
		}
	}
	return true
}
