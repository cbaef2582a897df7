package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Gated returns silu(gate) * up of one dtype and shape, the middle of Llama's MLP (Shazeer 2020, arXiv 2002.05202, eq. 6), computed in float32
// and rounded once:
//
//	silu(x) = x s(x),  s(x) = 1 / (1 + exp(-x))
//
// The backward pass keeps gate and up alone:
//
//	dgate = dy up s (1 + gate (1 - s)),  dup = dy gate s
func Gated(gate, up *Node) *Node {
	return withGradient(func(in []*Node) *Node {
		x, up := inFloat32(in[0]), inFloat32(in[1])
		return ConvertDType(Mul(Div(x, onePlusExp(x)), up), in[0].DType())
	}, func(in []*Node, dy *Node) []*Node {
		in, dy = notBefore(in, dy)
		x, up, d := inFloat32(in[0]), inFloat32(in[1]), inFloat32(dy)
		s := Reciprocal(onePlusExp(x))
		slope := Mul(s, OnePlus(Mul(MaxScalar(x, -furthest), OneMinus(s))))
		dtype := in[0].DType()
		return []*Node{ConvertDType(Mul(Mul(d, up), slope), dtype), ConvertDType(Mul(d, Mul(x, s)), dtype)}
	}, gate, up)
}

// furthest is how far below zero float32 has exponentials of the negative, and reciprocals of those.
const furthest = 80

// onePlusExp returns 1 + exp(-x). XLA's own logistic goes through tanh and loses the digits of its lower tail; this keeps them.
func onePlusExp(x *Node) *Node { return OnePlus(Exp(MinScalar(Neg(x), furthest))) }

func inFloat32(x *Node) *Node { return ConvertDType(x, dtypes.Float32) }
