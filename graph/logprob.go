package graph

import (
	"iter"

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
	if chunk < 1 {
		exceptions.Panicf("log-probabilities in chunks of %d tokens", chunk)
	}
	x := PickRows(hidden, index) // [N, D]
	if asked.Head {
		logp = trainedHead(x, labels, head, chunk)
	} else {
		logp = frozenHead(x, labels, head, asked.Hidden, chunk)
	}
	return logp, meanLogits(x, head)
}

// HeadGradient says which gradients of TokenLogProbs will be asked for.
type HeadGradient struct {
	Hidden bool // with respect to hidden states
	// Head announces one with respect to the head, besides. Numbers of a policy and a reference round alike only if it is the same for both.
	Head bool
}

// chunks are the rows [N, ...] of some arrays, at most so many at a time.
func chunks(chunk int, arrays ...*Node) iter.Seq[[]*Node] {
	return func(yield func([]*Node) bool) {
		n := arrays[0].Shape().Dim(0)
		for from := 0; from < n; from += chunk {
			some := make([]*Node, len(arrays))
			for i, x := range arrays {
				some[i] = SliceAxis(x, 0, AxisRange(from, min(from+chunk, n)))
			}
			if !yield(some) {
				return
			}
		}
	}
}

// behind returns x, which comes after what was done before: lest XLA makes the logits of all chunks first.
func behind(before []*Node, x *Node) *Node {
	if len(before) == 0 {
		return x
	}
	return OptimizationBarriers(append([]*Node{x}, stopped(before)...)...)[0]
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

// frozenHead returns logp [N] of labels [N] for x [N, D], chunk by chunk. The gradient with respect to x,
//
//	dlogp/dx = W[label] - softmax(W x) W,
//
// is formed here, in the forward pass, while the logits are at hand, if it will be asked for; so nothing of size [N, V] waits for the backward pass.
func frozenHead(x, labels, w *Node, gradient bool, chunk int) *Node {
	var slope *Node // [N, D]
	return withGradient(func(in []*Node) *Node {
		var logps, slopes, before []*Node
		for some := range chunks(chunk, in[0], labels) {
			x, labels := behind(before, some[0]), some[1]
			logits := product(x, w, dtypes.Float32) // [n, V]
			_, sum, top := exponentials(logits)     // [n, 1]
			logp := Sub(labelLogits(x, labels, w), logSum(sum, top))
			logps, before = append(logps, logp), []*Node{logp}
			if gradient {
				// Apart, so that the value is computed as where no gradient is asked for, see Recomputed.
				again := OptimizationBarriers(logits, sum, top, labels)
				expected := Div(weighedRows(again[0], again[2], w), again[1])
				slopes = append(slopes, Sub(labelRows(again[3], w), expected)) // [n, D]
				before = append(before, slopes[len(slopes)-1])
			}
		}
		if gradient {
			slope = Concatenate(slopes, 0)
		}
		return Concatenate(logps, 0)
	}, func(in []*Node, dy *Node) []*Node {
		if slope == nil {
			exceptions.Panicf("a gradient of hidden states is asked for that HeadGradient did not announce")
		}
		return []*Node{ConvertDType(Mul(InsertAxes(dy, -1), slope), x.DType())}
	}, x)
}

// weighedRows returns exp(logits - top) w for logits [n, V], the largest of each row, top [n, 1], and w [V, D], in float32: [n, D]. The exponentials are
// rounded to w's dtype before they are divided by their sum: so that of the most probable token, which alone may come close to its label's, is exactly 1.
func weighedRows(logits, top, w *Node) *Node {
	return contract(ConvertDType(Exp(Sub(logits, top)), w.DType()), 1, w, 0, dtypes.Float32)
}

// trainedHead returns logp [N] of labels [N] for x [N, D], chunk by chunk, with gradients to x and w; the backward pass computes the logits
// again.
func trainedHead(x, labels, w *Node, chunk int) *Node {
	return withGradient(func(in []*Node) *Node {
		var logps, before []*Node
		for some := range chunks(chunk, in[0], labels) {
			logp := chosenLogProbs(behind(before, some[0]), some[1], in[1])
			logps, before = append(logps, logp), []*Node{logp}
		}
		return Concatenate(logps, 0)
	}, func(in []*Node, dy *Node) []*Node {
		in, dy = notBefore(in, dy)
		var dx, before []*Node
		var dw *Node
		for some := range chunks(chunk, in[0], labels, dy) {
			x := behind(before, some[0])
			adjoints := Gradient(ReduceAllSum(Mul(chosenLogProbs(x, some[1], in[1]), some[2])), x, in[1])
			dx = append(dx, adjoints[0])
			if dw == nil {
				dw = adjoints[1]
			} else {
				dw = Add(dw, adjoints[1])
			}
			before = []*Node{adjoints[0], dw}
		}
		return []*Node{Concatenate(dx, 0), dw}
	}, x, w)
}

// chosenLogProbs is logp [n] of labels [n] for x [n, D], in operations that all have gradients.
func chosenLogProbs(x, labels, w *Node) *Node {
	logits := product(x, w, dtypes.Float32) // [n, V]
	vocabulary := Iota(x.Graph(), shapes.Make(labels.DType(), logits.Shape().Dimensions...), 1)
	isLabel := Equal(vocabulary, BroadcastToShape(InsertAxes(labels, -1), vocabulary.Shape()))
	chosen := ReduceSum(Where(isLabel, logits, ZerosLike(logits)), -1) // [n]
	return Sub(chosen, logSumExp(logits))
}

// PickRows returns the rows of hidden [B, S, D] at the places index [N], counted as b*S + s: [N, D].
func PickRows(hidden, index *Node) *Node {
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
