package graph

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// TokenLogProbs returns the log-probability of every target token and the mean logit over the vocabulary at its place,
//
//	logp_n = l_n[label_n] - log sum_v exp l_n[v],   mean_n = 1/V sum_v l_n[v],   l_n = W h_n
//
// both [N] float32. Hidden states are [B, S, D], head is W [V, D]; index [N] says as b*S + s which hidden state predicts the
// token labels[n]. Logits are computed for these places only, and at most chunk of them, [chunk, V], at a time.
//
// asked says which gradients will be asked for. The mean carries none.
func TokenLogProbs(hidden, index, labels, head *Node, asked HeadGradient, chunk int) (logp, mean *Node) {
	score := frozenHead
	if asked.Head {
		score = trainedHead
	}
	x := PickRows(hidden, index) // [N, D]
	order := &chunkOrder{gradient: asked.Hidden}
	parts := inChunks(chunk, x, labels, func(x, labels *Node) []*Node { return []*Node{score(x, labels, head, order)} })
	return parts[0], meanLogits(x, head)
}

// HeadGradient says which gradients of TokenLogProbs will be asked for.
type HeadGradient struct {
	Hidden bool
	// Head that of the head. Numbers of a policy and a reference round alike only if it is the same for both.
	Head bool
}

// chunkOrder has the work on a chunk begin when that on the one before has ended, forward and backward, lest XLA holds the logits of all of them.
type chunkOrder struct {
	gradient bool    // will be asked for
	forward  []*Node // what the chunk before has come to
	backward []*Node // adjoints of its x and of w; the latter is the sum of those so far
	waiting  int     // chunks whose backward pass has not been built
}

// behind returns x, which comes after what was done before.
func behind(before []*Node, x *Node) *Node {
	if len(before) == 0 {
		return x
	}
	return OptimizationBarriers(append([]*Node{x}, before...)...)[0]
}

// GreedyLogProbs is the logp of TokenLogProbs for the hidden states x [N, D] that predict labels [N], where no gradient is asked for. It also
// says of each label whether it is the most probable token of its place (on a tie, the first of them): greedy is bool [N].
// All logits [N, V] are in memory together.
func GreedyLogProbs(x, labels, head *Node) (logp, greedy *Node) {
	logits := product(x, head, dtypes.Float32) // [N, V]
	return Sub(labelLogits(x, labels, head), logSumExp(logits)), Equal(ArgMax(logits, -1, dtypes.Int32), labels)
}

// Logits returns the logits x W^T of hidden states x [N, D] for the head W [V, D], in float32: [N, V]. No gradient passes.
func Logits(x, head *Node) *Node { return productInBlocks(x, head, dtypes.Float32) }

// frozenHead returns logp [n] of labels [n] for x [n, D]. The gradient with respect to x,
//
//	dlogp/dx = W[label] - softmax(W x) W,
//
// is formed here, in the forward pass, while the logits are at hand; so nothing of size [n, V] waits for the backward pass.
func frozenHead(x, labels, w *Node, order *chunkOrder) *Node {
	var slope *Node // [n, D]
	return withGradient(func(in []*Node) *Node {
		x := behind(order.forward, in[0])
		logits := product(x, w, dtypes.Float32) // [n, V]
		y := Sub(labelLogits(x, labels, w), logSumExp(logits))
		order.forward = []*Node{StopGradient(y)}
		if order.gradient {
			again := OptimizationBarriers(logits, labels) // so that the value is computed as where no gradient is asked for, see Recomputed
			e, sum, _ := exponentials(again[0])           // [n, V], [n, 1]
			expected := Div(contract(ConvertDType(e, w.DType()), 1, w, 0, dtypes.Float32), sum)
			slope = StopGradient(Sub(labelRows(again[1], w), expected))
			order.forward = append(order.forward, slope)
		}
		return y // [n]
	}, func(in []*Node, dy *Node) []*Node {
		return []*Node{ConvertDType(Mul(InsertAxes(dy, -1), slope), x.DType())}
	}, x)
}

// trainedHead returns logp [n] of labels [n] for x [n, D], with gradients to x and w; the backward pass computes the logits
// again.
func trainedHead(x, labels, w *Node, order *chunkOrder) *Node {
	score := func(in []*Node) *Node {
		logits := product(in[0], in[1], dtypes.Float32) // [n, V]
		vocabulary := Iota(x.Graph(), shapes.Make(labels.DType(), logits.Shape().Dimensions...), 1)
		isLabel := Equal(vocabulary, BroadcastToShape(InsertAxes(labels, -1), vocabulary.Shape()))
		chosen := ReduceSum(Where(isLabel, logits, ZerosLike(logits)), -1) // [n]
		return Sub(chosen, logSumExp(logits))
	}
	order.waiting++
	return withGradient(func(in []*Node) *Node {
		y := score([]*Node{behind(order.forward, in[0]), in[1]})
		order.forward = []*Node{StopGradient(y)}
		return y
	}, func(in []*Node, dy *Node) []*Node {
		in, dy = notBefore(in, behind(order.backward, dy))
		adjoints := Gradient(ReduceAllSum(Mul(score(in), dy)), in...)
		if before := order.backward; before != nil {
			adjoints[1] = Add(before[1], adjoints[1])
		}
		order.backward = adjoints
		if order.waiting--; order.waiting > 0 {
			return []*Node{adjoints[0], ZerosLike(w)}
		}
		return adjoints
	}, x, w)
}

// PickRows returns the rows of hidden [B, S, D] at the places index [N], counted as b*S + s: [N, D].
func PickRows(hidden, index *Node) *Node {
	return Gather(Reshape(hidden, -1, hidden.Shape().Dim(-1)), InsertAxes(index, -1))
}

// inChunks applies fn to at most chunk rows of x [N, D] and labels [N] at a time and joins its results, each [n].
func inChunks(chunk int, x, labels *Node, fn func(x, labels *Node) []*Node) []*Node {
	if chunk < 1 {
		exceptions.Panicf("log-probabilities in chunks of %d tokens", chunk)
	}
	n := x.Shape().Dim(0)
	var parts [][]*Node
	for from := 0; from < n; from += chunk {
		rows := AxisRange(from, min(from+chunk, n))
		for i, part := range fn(SliceAxis(x, 0, rows), SliceAxis(labels, 0, rows)) {
			if from == 0 {
				parts = append(parts, nil)
			}
			parts[i] = append(parts[i], part)
		}
	}
	joined := make([]*Node, len(parts))
	for i := range parts {
		joined[i] = Concatenate(parts[i], 0) // [N]
	}
	return joined
}

// logSumExp returns log sum_v exp logits[n, v], [n].
func logSumExp(logits *Node) *Node {
	_, sum, top := exponentials(logits)
	return logSum(sum, top)
}

// exponentials returns e = exp(logits - top) [n, V], its sum [n, 1] and the largest logit, top [n, 1].
func exponentials(logits *Node) (e, sum, top *Node) {
	top = StopGradient(ReduceAndKeep(logits, ReduceMax, -1))
	e = Exp(Sub(logits, top))
	return e, ReduceAndKeep(e, ReduceSum, -1), top
}

func logSum(sum, top *Node) *Node { return Squeeze(Add(Log(sum), top), -1) }

// labelRows returns the head's rows of the labels in float32, [n, D].
func labelRows(labels, w *Node) *Node {
	return ConvertDType(Gather(w, InsertAxes(labels, -1)), dtypes.Float32)
}

// labelLogits returns the logits of the labels alone, [n].
func labelLogits(x, labels, w *Node) *Node {
	return ReduceSum(Mul(ConvertDType(x, dtypes.Float32), labelRows(labels, w)), -1)
}

// meanLogits returns the mean over the vocabulary of the logits of x [N, D], as x times the mean row of the head: [N].
func meanLogits(x, w *Node) *Node {
	mean := ReduceMean(ConvertDType(StopGradient(w), dtypes.Float32), 0) // [D]
	return ReduceSum(Mul(ConvertDType(StopGradient(x), dtypes.Float32), InsertAxes(mean, 0)), -1)
}
