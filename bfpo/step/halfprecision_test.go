package step

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
)

// roundBFloat16 rounds to bfloat16, which has 8 significant bits, with ties to even.
func roundBFloat16(x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}

// Masters move at the recipes' learning rate of 5e-7, at which weights in bfloat16 would stay where they are.
//
// A weight of 0.02 lies in [2^-6, 2^-5). There float32 numbers are 2^-29 = 1.9e-9 apart, so a master moves by 268 of
// them. bfloat16 numbers are 2^-13 = 1.2e-4 apart, half of which is 122 updates: each update of a weight in bfloat16
// would be rounded away. The same holds for all weights above 2^-12, where half the distance is 9.5e-7.
func TestMastersMoveInBFloat16(t *testing.T) {
	const lr = 5e-7
	if x := roundBFloat16(0.02); roundBFloat16(x-lr) != x || roundBFloat16(x+lr) != x || x-lr == x {
		t.Errorf("0.02 in bfloat16, %v, and 5e-7 more or less are %v, %v", x, roundBFloat16(x+lr), roundBFloat16(x-lr))
	}
	onModels(t, dtypes.BFloat16, func(t *testing.T, model *mistral.Model) {
		options := testOptions("bfpo")
		options.DType = dtypes.BFloat16
		s := newTestStepper(t, model, []string{"down_proj"}, options)
		before, _ := download(t, s.Masters)
		shape := batch.Shape{Rows: 2, Length: 256, Targets: 320, Responses: 6}
		result := runStep(t, s, shape, 3, runtest.RandomPairs(model.Config.VocabSize, 3), 3, lr)
		moved, stuck := 0, 0
		for i, p := range before {
			if by := math.Abs(float64(result.masters[i]) - float64(p)); math.Abs(by-lr) < 0.2*lr {
				moved++
			}
			rounded := roundBFloat16(p)
			if math.Abs(float64(rounded)) <= 1./4096 ||
				roundBFloat16(rounded+lr) == rounded && roundBFloat16(rounded-lr) == rounded {
				stuck++
			}
		}
		t.Logf("%d of %d weights moved by 5e-7", moved, len(before))
		if moved < len(before)*99/100 {
			t.Errorf("%d of %d weights moved by 5e-7", moved, len(before))
		}
		if stuck != len(before) {
			t.Errorf("%d of %d weights would not have moved in bfloat16, want all", stuck, len(before))
		}
	})
}

// After a forward pass in bfloat16, log-softmax and its sum over the tokens of a response are computed in float32: for
// a response of a thousand tokens the sum is within 0.05 nat of a computation in float64.
func TestLogSoftmaxOfBFloat16(t *testing.T) {
	onModels(t, dtypes.BFloat16, checkLogSoftmax)
}

func checkLogSoftmax(t *testing.T, model *mistral.Model) {
	const length = 1001
	options := testOptions("sft")
	options.DType = dtypes.BFloat16
	s := newTestStepper(t, model, []string{"down_proj"}, options)
	document := randomDocuments(model.Config.VocabSize, length)[0]
	batch := fill(t, batch.Shape{Rows: 1, Length: length, Targets: length - 1, Responses: 1}, document)
	p := device.NewProgram(graphtest.Device(t), "activations", func(in [][]*Node) [][]*Node {
		w, b := s.graphs.policy(in[0], in[1]), newBatchNodes(in[2], 1)
		hidden, head := mistral.Hidden(model.Config, w, b.Input, false), mistral.Head(model.Config, w)
		logProb, _ := graph.TokenLogProbs(hidden, b.index, b.labels, head, graph.HeadGradients{Hidden: true}, headChunk)
		if hidden.DType() != dtypes.BFloat16 || head.DType() != dtypes.BFloat16 {
			t.Errorf("hidden states are %s, the head is %s", hidden.DType(), head.DType())
		}
		return [][]*Node{{
			ConvertDType(hidden, dtypes.Float32), ConvertDType(head, dtypes.Float32), logProb, b.sumPerResponse(logProb),
		}}
	})
	defer p.Close()
	out, err := p.Call(model.Base.Values, s.Masters.Values, tensorsOf(weightedBatch{Batch: batch}))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	var flat [4][]float32
	for i, x := range out[0] {
		if flat[i], err = tensors.CopyFlatData[float32](x); err != nil {
			t.Fatal(err)
		}
	}
	hidden, head, logProb, sum := flat[0], flat[1], flat[2], flat[3][0]
	exact := make([]float64, len(logProb))
	var group sync.WaitGroup
	for worker := range 2 {
		group.Go(func() {
			for n := worker; n < len(exact); n += 2 {
				exact[n] = exactLogProb(hidden, head, model.Config.HiddenSize, int(batch.Index[n]), int(batch.Labels[n]))
			}
		})
	}
	group.Wait()
	want, worst := 0.0, 0.0
	for n, x := range exact {
		want += x
		worst = max(worst, math.Abs(float64(logProb[n])-x))
	}
	diff := math.Abs(float64(sum) - want)
	t.Logf("%d tokens: sum %.6f, in float64 %.6f, off by %.2g nat; a token by at most %.2g",
		len(exact), sum, want, diff, worst)
	if diff > 0.05*float64(len(exact))/1000 {
		t.Errorf("the sum over %d tokens is %v, in float64 %v: off by %.2g nat", len(exact), sum, want, diff)
	}
	if slices.Max(logProb) > 0 {
		t.Errorf("a log-probability is %v", slices.Max(logProb))
	}
}

// exactLogProb computes the log-probability of a label at a position in float64.
func exactLogProb(hidden, head []float32, width, position, label int) float64 {
	h := make([]float64, width)
	for i, x := range hidden[position*width : (position+1)*width] {
		h[i] = float64(x)
	}
	logits := make([]float64, len(head)/width)
	for v := range logits {
		for i, x := range head[v*width : (v+1)*width] {
			logits[v] += h[i] * float64(x)
		}
	}
	top, sum := slices.Max(logits), 0.0
	for _, x := range logits {
		sum += math.Exp(x - top)
	}
	return logits[label] - top - math.Log(sum)
}
