package graph

import (
	"iter"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/exceptions"
	. "github.com/gomlx/gomlx/core/graph"
)

// TokenLogProbs returns the log-probability of every target token, and the mean logit over the vocabulary of the hidden
// state that predicts it,
//
//	logp_n = l_n[label_n] - log sum_v exp l_n[v],   mean_n = 1/V sum_v l_n[v],   l_n = W h_n
//
// both [N] float32. The hidden states are [B, S, D], and head is W [V, D]. index [N] holds b*S + s of the hidden
// state that predicts the token labels[n]. Logits are computed for these states only, for at most chunk of them at a
// time.
//
// gradients selects the gradients that the program takes. The mean has none.
func TokenLogProbs(hidden, index, labels, head *Node, gradients HeadGradients, chunk int) (logp, mean *Node) {
	if chunk < 1 {
		exceptions.Panicf("log-probabilities in chunks of %d tokens: want at least 1", chunk)
	}
	x := GatherRows(hidden, index) // [N, D]
	if gradients.Head {
		logp = trainedHead(x, labels, head, chunk)
	} else {
		logp = frozenHead(x, labels, head, gradients.Hidden, chunk)
	}
	return logp, meanLogits(x, head)
}

// HeadGradients selects gradients of TokenLogProbs.
type HeadGradients struct {
	Hidden bool // with respect to the hidden states
	// Head is the gradient with respect to the head, for a head that is trained. The policy and the reference model
	// give bit-equal results only if both set it to the same value.
	Head bool
}

// chunks iterates over the rows of arrays [N, ...], size rows at a time; the last chunk may be shorter.
func chunks(size int, arrays ...*Node) iter.Seq[[]*Node] {
	return func(yield func([]*Node) bool) {
		n := arrays[0].Shape().Dim(0)
		for from := 0; from < n; from += size {
			chunk := make([]*Node, len(arrays))
			for i, x := range arrays {
				chunk[i] = SliceAxis(x, 0, AxisRange(from, min(from+size, n)))
			}
			if !yield(chunk) {
				return
			}
		}
	}
}

// delayAfter returns x behind a barrier that waits for earlier; otherwise XLA might compute the logits of all chunks
// before it uses any of them.
func delayAfter(earlier []*Node, x *Node) *Node {
	if len(earlier) == 0 {
		return x
	}
	return OptimizationBarriers(append([]*Node{x}, stopGradients(earlier)...)...)[0]
}

// GreedyLogProbs returns the logp of TokenLogProbs for the hidden states x [N, D] that predict labels [N], without a
// gradient. greedy, bool [N], reports whether a label is the most probable token (the first one if several are equal).
// All logits [N, V] are in memory together.
func GreedyLogProbs(x, labels, head *Node) (logp, greedy *Node) {
	logits := product(x, head, dtypes.Float32) // [N, V]
	return Sub(labelLogits(x, labels, head), logSumExp(logits)), Equal(ArgMax(logits, -1, dtypes.Int32), labels)
}

// Logits returns the logits x W^T of hidden states x [N, D] for the head W [V, D], in float32: [N, V]. No gradient
// passes.
func Logits(x, head *Node) *Node { return productInBlocks(x, head, dtypes.Float32) }

// frozenHead returns logp [N] of labels [N] for x [N, D], chunk by chunk. If gradient is set, the forward pass also
// computes the gradient with respect to x,
//
//	dlogp/dx = W[label] - softmax(W x) W,
//
// while the logits are in memory, so the backward pass needs nothing of size [N, V]. frozenSlope shows the form in
// which it is computed.
func frozenHead(x, labels, w *Node, gradient bool, chunk int) *Node {
	var slope *Node // [N, D]
	return withGradient(func(in []*Node) *Node {
		var logps, slopes, earlier []*Node
		for part := range chunks(chunk, in[0], labels) {
			x, labels := delayAfter(earlier, part[0]), part[1]
			logits := product(x, w, dtypes.Float32) // [n, V]
			_, sum, top := exponentials(logits)     // [n, 1]
			logp := Sub(labelLogits(x, labels, w), logSum(sum, top))
			logps, earlier = append(logps, logp), []*Node{logp}
			if gradient {
				// The barrier keeps the value's computation the same as without a gradient, see Remat.
				separated := OptimizationBarriers(logits, sum, top, labels)
				slopes = append(slopes, frozenSlope(separated[0], separated[1], separated[2], separated[3], w))
				earlier = append(earlier, slopes[len(slopes)-1])
			}
		}
		if gradient {
			slope = Concatenate(slopes, 0)
		}
		return Concatenate(logps, 0)
	}, func(in []*Node, dy *Node) []*Node {
		if slope == nil {
			exceptions.Panicf("a gradient with respect to hidden states needs Hidden in HeadGradients")
		}
		return []*Node{ConvertDType(Mul(InsertAxes(dy, -1), slope), x.DType())}
	}, x)
}

// frozenSlope returns the gradient of the log-probabilities of labels [n] with respect to the hidden states, [n, D]
// float32, for logits [n, V] and their sum and top of exponentials [n, 1]. With e_v = exp(l_v - top) it is
//
//	W[label] - sum_v e_v W[v] / sum_v e_v = (W[label] sum_v' e_v - sum_v' e_v W[v]) / sum_v e_v,
//
// where v' leaves the label out. The right side is computed: on the left, two nearly equal rows cancel if the label's
// probability is near 1, and a float32 sum that has reached 1 loses the many small terms that follow. The exponentials
// are rounded to w's dtype before the division, so that the weight of a most probable token that is not the label is
// exactly 1.
func frozenSlope(logits, sum, top, labels, w *Node) *Node {
	others := Where(isLabel(logits, labels), ZerosLike(logits), Exp(Sub(logits, top))) // [n, V]
	rows := contract(ConvertDType(others, w.DType()), 1, w, 0, dtypes.Float32)
	return Div(Sub(Mul(labelRows(labels, w), ReduceAndKeep(others, ReduceSum, -1)), rows), sum)
}

// isLabel marks the label of each row, bool [n, V], for logits [n, V] and labels [n].
func isLabel(logits, labels *Node) *Node {
	vocabulary := Iota(logits.Graph(), shapes.Make(labels.DType(), logits.Shape().Dimensions...), 1)
	return Equal(vocabulary, BroadcastToShape(InsertAxes(labels, -1), vocabulary.Shape()))
}

// trainedHead returns logp [N] of labels [N] for x [N, D], chunk by chunk, with gradients with respect to x and w. The
// backward pass recomputes the logits.
func trainedHead(x, labels, w *Node, chunk int) *Node {
	return withGradient(func(in []*Node) *Node {
		var logps, earlier []*Node
		for part := range chunks(chunk, in[0], labels) {
			logp := labelLogProbs(delayAfter(earlier, part[0]), part[1], in[1])
			logps, earlier = append(logps, logp), []*Node{logp}
		}
		return Concatenate(logps, 0)
	}, func(in []*Node, dy *Node) []*Node {
		in, dy = delayUntil(dy, in)
		var dx, earlier []*Node
		var dw *Node
		for part := range chunks(chunk, in[0], labels, dy) {
			x := delayAfter(earlier, part[0])
			adjoints := Gradient(ReduceAllSum(Mul(labelLogProbs(x, part[1], in[1]), part[2])), x, in[1])
			dx = append(dx, adjoints[0])
			if dw == nil {
				dw = adjoints[1]
			} else {
				dw = Add(dw, adjoints[1])
			}
			earlier = []*Node{adjoints[0], dw}
		}
		return []*Node{Concatenate(dx, 0), dw}
	}, x, w)
}

// labelLogProbs returns logp [n] of labels [n] for x [n, D], built from operations that all have gradients.
func labelLogProbs(x, labels, w *Node) *Node {
	logits := product(x, w, dtypes.Float32)                                           // [n, V]
	logit := ReduceSum(Where(isLabel(logits, labels), logits, ZerosLike(logits)), -1) // [n]
	return Sub(logit, logSumExp(logits))
}

// GatherRows returns the rows of hidden [B, S, D] that index [N] names as b*S + s: [N, D].
func GatherRows(hidden, index *Node) *Node {
	return Gather(Reshape(hidden, -1, hidden.Shape().Dim(-1)), InsertAxes(index, -1))
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

// logSum returns log(sum) + top, [n], for the results of exponentials.
func logSum(sum, top *Node) *Node { return Squeeze(Add(Log(sum), top), -1) }

// labelRows returns the head's rows of the labels in float32, [n, D].
func labelRows(labels, w *Node) *Node {
	return ConvertDType(Gather(w, InsertAxes(labels, -1)), dtypes.Float32)
}

// labelLogits returns only the labels' logits, [n].
func labelLogits(x, labels, w *Node) *Node {
	return ReduceSum(Mul(ConvertDType(x, dtypes.Float32), labelRows(labels, w)), -1)
}

// meanLogits returns the mean logit over the vocabulary for x [N, D], computed as x times the head's mean row: [N].
func meanLogits(x, w *Node) *Node {
	mean := ReduceMean(ConvertDType(StopGradient(w), dtypes.Float32), 0) // [D]
	return ReduceSum(Mul(ConvertDType(StopGradient(x), dtypes.Float32), InsertAxes(mean, 0)), -1)
}
