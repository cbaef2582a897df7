package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// SwiGLU returns silu(gate) * up, the activation of Llama's MLP (Shazeer 2020, arXiv 2002.05202, eq. 6), for gate and
// up of one dtype and shape. It computes in float32 and rounds once:
//
//	silu(x) = x s(x),  s(x) = 1 / (1 + exp(-x))
//
// The backward pass keeps only gate and up:
//
//	dgate = dy up s (1 + gate (1 - s)),  dup = dy gate s
func SwiGLU(gate, up *Node) *Node {
	return withGradient(func(in []*Node) *Node {
		x, up := inFloat32(in[0]), inFloat32(in[1])
		return ConvertDType(Mul(Div(x, onePlusExp(x)), up), in[0].DType())
	}, func(in []*Node, dy *Node) []*Node {
		in, dy = delayUntil(dy, in)
		x, up, d := inFloat32(in[0]), inFloat32(in[1]), inFloat32(dy)
		s := Reciprocal(onePlusExp(x))
		slope := Mul(s, OnePlus(Mul(MaxScalar(x, -largestExponent), OneMinus(s))))
		dtype := in[0].DType()
		return []*Node{ConvertDType(Mul(Mul(d, up), slope), dtype), ConvertDType(Mul(d, Mul(x, s)), dtype)}
	}, gate, up)
}

// largestExponent bounds the argument of exp, so that neither the result nor its reciprocal leaves float32's range.
const largestExponent = 80

// onePlusExp returns 1 + exp(-x). XLA's own logistic goes through tanh and loses digits of its lower tail; this does
// not.
func onePlusExp(x *Node) *Node { return OnePlus(Exp(MinScalar(Neg(x), largestExponent))) }

// inFloat32 returns x in float32.
func inFloat32(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
