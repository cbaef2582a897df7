package graph

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// AdamW is the optimizer of Loshchilov and Hutter (2019), computed as torch.optim.AdamW does. Its fields stay fixed
// during a run.
type AdamW struct {
	Beta1, Beta2, Epsilon, WeightDecay float64
}

// Rates are the scalars of AdamW that change from step to step. They are float32 inputs of the program, so one compiled
// program serves all steps; the host computes them in float64.
type Rates struct {
	LearningRate *Node
	Correction1  *Node // 1 - beta1^t, t counted from 1
	Correction2  *Node // 1 - beta2^t
}

// Update returns the next values of one parameter p and its moments m and v, given the gradient of p. All are float32
// of one shape, except grad, which may have any float dtype:
//
//	p = p (1 - lr*decay)
//	m = beta1 m + (1-beta1) grad
//	v = beta2 v + (1-beta2) grad^2
//	p = p - lr/c1 * m / (sqrt(v)/sqrt(c2) + eps),   c1 = 1 - beta1^t,  c2 = 1 - beta2^t
func (a AdamW) Update(p, m, v, grad *Node, r Rates) (p2, m2, v2 *Node) {
	grad = ConvertDType(grad, dtypes.Float32)
	if a.WeightDecay != 0 {
		p = Mul(p, OneMinus(MulScalar(r.LearningRate, a.WeightDecay)))
	}
	m2 = Add(MulScalar(m, a.Beta1), MulScalar(grad, 1-a.Beta1))
	v2 = Add(MulScalar(v, a.Beta2), MulScalar(Square(grad), 1-a.Beta2))
	// Without the barrier, XLA computes both moments a second time inside p2's kernel, from the old moments. It then
	// has to copy the old moments before it overwrites them, which takes as much scratch memory as the moments
	// themselves.
	moments := OptimizationBarriers(m2, v2)
	m2, v2 = moments[0], moments[1]
	denominator := AddScalar(Div(Sqrt(v2), Sqrt(r.Correction2)), a.Epsilon)
	p2 = Sub(p, Mul(Div(r.LearningRate, r.Correction1), Div(m2, denominator)))
	return p2, m2, v2
}

// GlobalNorm returns the Euclidean norm of all gradients together, a float32 scalar:
//
//	sqrt(sum_i |grad_i|^2)
func GlobalNorm(grads []*Node) *Node { return Sqrt(sumOfSquares(grads)) }

// sumOfSquares returns the sum of the squares of all elements, a float32 scalar.
func sumOfSquares(grads []*Node) *Node {
	total := ScalarZero(grads[0].Graph(), dtypes.Float32)
	for _, grad := range grads {
		total = Add(total, ReduceAllSum(Square(ConvertDType(grad, dtypes.Float32))))
	}
	return total
}

// ClipScale returns the factor that shrinks gradients of the given norm to at most limit, as torch's clip_grad_norm_
// does:
//
//	min(1, limit / (norm + 1e-6))
func ClipScale(norm *Node, limit float64) *Node {
	g := norm.Graph()
	return Min(ScalarOne(g, dtypes.Float32), Div(Scalar(g, dtypes.Float32, limit), AddScalar(norm, 1e-6)))
}
