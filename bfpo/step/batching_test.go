package step

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
)

// stepResult is the result of one optimizer step.
type stepResult struct {
	loss      float64 // weighted mean
	gradient  []float32
	norm      float64
	masters   []float32
	perTensor []int // number of elements
}

// runStep accumulates the examples in batches of the given size and applies them. Each example has the weight 1/total.
func runStep[T batch.Example](
	t *testing.T, s *Stepper, shape batch.Shape, size int, examples []T, total int, lr float64,
) (result stepResult) {
	t.Helper()
	loader := batch.Loader[T]{Rows: examples, Size: size, Epochs: 1}
	for batch, ok := loader.Next(); ok; batch, ok = loader.Next() {
		b := fill(t, shape, batch...)
		weights := slices.Repeat([]float32{float32(1 / float64(total))}, len(batch))
		report := accumulateOne(t, s, b, weights)
		for _, loss := range report.Loss[:len(batch)] {
			result.loss += float64(loss) / float64(total)
		}
	}
	result.gradient, result.perTensor = download(t, s.accumulator)
	norm, err := s.Apply(lr)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	result.norm = norm
	result.masters, _ = download(t, s.Masters)
	return result
}

// download returns the elements of a set of f32 tensors, tensor after tensor, and the number of elements of each.
func download(t *testing.T, set *device.TensorSet) (all []float32, perTensor []int) {
	t.Helper()
	for _, x := range set.Values {
		flat, err := tensors.CopyFlatData[float32](x)
		if err != nil {
			t.Fatal(err)
		}
		all, perTensor = append(all, flat...), append(perTensor, len(flat))
	}
	return all, perTensor
}

// distances compares two results. It returns the largest relative Euclidean distance of a tensor's gradient, and the
// largest difference of a weight in units of the learning rate.
//
// The first step of AdamW is the learning rate times the sign of the gradient, which turns an element that is mere
// rounding into a full step. So weights are compared only where the gradient's element exceeds a thousandth of the root
// mean square of its tensor.
func (got stepResult) distances(want stepResult, lr float64) (gradient, weight float64) {
	at := 0
	for _, n := range want.perTensor {
		var diff, norm float64
		for i := at; i < at+n; i++ {
			w := float64(want.gradient[i])
			d := float64(got.gradient[i]) - w
			diff, norm = diff+d*d, norm+w*w
		}
		gradient = max(gradient, math.Sqrt(diff/norm))
		for i := at; i < at+n; i++ {
			if math.Abs(float64(want.gradient[i])) > 1e-3*math.Sqrt(norm/float64(n)) {
				weight = max(weight, math.Abs(float64(got.masters[i])-float64(want.masters[i]))/lr)
			}
		}
		at += n
	}
	return gradient, weight
}

func relativeDifference(got, want float64) float64 { return math.Abs(got-want) / math.Abs(want) }

// One optimizer step on seven pairs or documents of different lengths has the same result in one batch, in batches of
// two, two, two and one, and in seven batches of one. Only the order of float32 sums differs, and their rounding.
func TestStepIsIndependentOfBatchSize(t *testing.T) {
	const lr = 1e-3
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		check := func(objective string, split func(size int) stepResult) {
			whole := split(8)
			for _, size := range []int{2, 1} {
				got := split(size)
				gradient, weight := got.distances(whole, lr)
				loss, norm := relativeDifference(got.loss, whole.loss), relativeDifference(got.norm, whole.norm)
				text := fmt.Sprintf("%s in batches of %d: relative differences of %.2g in the loss, %.2g in the gradient "+
					"and %.2g in its norm; %.2g learning rates in a weight", objective, size, loss, gradient, norm, weight)
				t.Log(text)
				if loss > 1e-6 || gradient > 2e-6 || norm > 1e-6 || weight > 2e-4 {
					t.Error(text)
				}
			}
		}
		pairs := runtest.RandomPairs(model.Config.VocabSize, 3)
		pairs = append(pairs, pairs[1], pairs[0], pairs[0], pairs[2])
		shapes := map[bool]batch.Shape{ // of all pairs, and of at most two
			true:  {Rows: 2, Length: 352, Targets: 544, Responses: 16},
			false: {Rows: 1, Length: 208, Targets: 160, Responses: 4},
		}
		check("bfpo", func(size int) stepResult {
			s := newTestStepper(t, model, []string{"down_proj"}, testOptions("bfpo"))
			return runStep(t, s, shapes[size == 8], size, pairs, len(pairs), lr)
		})
		if model.Config.VocabSize > 1000 {
			return // the supervised loss uses the same code, and its programs take long to compile
		}
		documents := randomDocuments(model.Config.VocabSize, 90, 12, 40, 7, 120, 33, 60)
		shapes = map[bool]batch.Shape{
			true:  {Rows: 3, Length: 144, Targets: 384, Responses: 8},
			false: {Rows: 1, Length: 160, Targets: 160, Responses: 2},
		}
		check("sft", func(size int) stepResult {
			s := newTestStepper(t, model, nil, testOptions("sft"))
			return runStep(t, s, shapes[size == 8], size, documents, 90+12+40+7+120+33+60-7, lr)
		})
	})
}

// randomDocuments returns documents of random tokens, one in each row.
func randomDocuments(vocabulary int, lengths ...int) (rows []batch.Document) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i, n := range lengths {
		d := batch.Document{ID: fmt.Sprint(i), IDs: make([]int32, n), Starts: []int{0}}
		for j := range d.IDs {
			d.IDs[j] = int32(rng.IntN(vocabulary))
		}
		rows = append(rows, d)
	}
	return rows
}

// Documents have the same log-probabilities and the same gradient whether they are packed into one row or not.
func TestPackedDocumentsAreIndependent(t *testing.T) {
	const lr = 1e-3
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		documents := randomDocuments(model.Config.VocabSize, 50, 3, 71, 18)
		packed := batch.Document{ID: "packed"}
		for _, d := range documents {
			packed.Starts = append(packed.Starts, len(packed.IDs))
			packed.IDs = append(packed.IDs, d.IDs...)
		}
		scored := len(packed.IDs) - len(documents)
		stepper := func() *Stepper { return newTestStepper(t, model, []string{"down_proj"}, testOptions("sft")) }
		tokens := tokenProgram(t, stepper())
		together := fill(t, batch.Shape{Rows: 1, Length: 160, Targets: 160, Responses: 1}, packed)
		got, at := unitLogProbs(together, tokens(together), 1, 0), 0
		alone, worst := batch.Shape{Rows: 1, Length: 80, Targets: 80, Responses: 1}, 0.0
		for _, d := range documents {
			b := fill(t, alone, d)
			want := unitLogProbs(b, tokens(b), 1, 0)
			relative, _ := difference(got[at:at+len(want)], want)
			worst = max(worst, relative)
			at += len(want)
		}
		if at != scored || len(got) != scored {
			t.Errorf("%d and %d targets, want %d", at, len(got), scored)
		}
		whole := runStep(t, stepper(), together.Shape, 1, []batch.Document{packed}, scored, lr)
		apart := runStep(t, stepper(), alone, 1, documents, scored, lr)
		gradient, _ := apart.distances(whole, lr)
		loss := relativeDifference(apart.loss, whole.loss)
		text := fmt.Sprintf("relative differences of %.2g in the log-probabilities, %.2g in the loss, %.2g in the gradient",
			worst, loss, gradient)
		t.Log(text)
		if worst > 1e-6 || loss > 1e-6 || gradient > 2e-6 {
			t.Error(text)
		}
	})
}
