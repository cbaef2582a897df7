package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// RMSNorm scales each vector to root mean square one and then by weight (Zhang and Sennrich 2019, eq. 4):
//
//	y = x / sqrt(mean(x^2) + eps) * w
//
// It takes x [..., D] and weight [D] and returns [..., D] in x's dtype, computed in float32 and rounded once.
func RMSNorm(x, weight *Node, eps float64) *Node {
	x32 := ConvertDType(x, dtypes.Float32)
	meanSquare := ReduceAndKeep(Square(x32), ReduceMean, -1)                  // [..., 1]
	scale := Reciprocal(Sqrt(AddScalar(meanSquare, eps)))                     // [..., 1]; GoMLX's Rsqrt has no gradient
	weight = ExpandLeftToRank(ConvertDType(weight, dtypes.Float32), x.Rank()) // [1, ..., D]
	return ConvertDType(Mul(Mul(x32, scale), weight), x.DType())
}

// RMSNorm is the function RMSNorm with the weight called name. The backward pass keeps x [..., D] and recomputes the
// rest.
func (w Weights) RMSNorm(x *Node, name string, eps float64) *Node {
	return w.Remat(func(in []*Node) *Node { return RMSNorm(in[0], in[1], eps) }, x, w.Get(name))
}
