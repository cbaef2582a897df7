package bfpo

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/mistral"
)

// taken is what one optimizer step did.
type taken struct {
	loss      float64   // mean over the units' weights
	sum       []float32 // the gradient
	norm      float64
	masters   []float32
	perTensor []int // elements
}

// step accumulates batches of the examples, as many in each as size says, and applies them; a unit weighs one over
// total.
func step[T datasets.Example](t *testing.T, s *Stepper, shape datasets.Shape, size int, examples []T, total int, lr float64) (done taken) {
	t.Helper()
	loader := datasets.Loader[T]{Rows: examples, Size: size, Epochs: 1}
	for batch, ok := loader.Next(); ok; batch, ok = loader.Next() {
		b := fill(t, shape, batch...)
		weights := slices.Repeat([]float32{float32(1 / float64(total))}, len(batch))
		report := accumulateOne(t, s, b, weights)
		for _, loss := range report.Loss[:len(batch)] {
			done.loss += float64(loss) / float64(total)
		}
	}
	done.sum, done.perTensor = values(t, s.sum)
	norm, err := s.Apply(lr)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	done.norm = norm
	done.masters, _ = values(t, s.Masters)
	return done
}

// values downloads a set of f32 tensors one behind the other.
func values(t *testing.T, set *graph.Tensors) (all []float32, perTensor []int) {
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

// distances are the largest relative Euclidean distance of a tensor's gradient, and the largest change of a weight
// in learning rates, where the gradient's element is at least a thousandth of the root mean square: AdamW's first
// step is the gradient's sign, so of an element that is mere rounding it makes a whole learning rate.
func (got taken) distances(want taken, lr float64) (gradient, weight float64) {
	at := 0
	for _, n := range want.perTensor {
		var diff, norm float64
		for i := at; i < at+n; i++ {
			d := float64(got.sum[i]) - float64(want.sum[i])
			diff, norm = diff+d*d, norm+float64(want.sum[i])*float64(want.sum[i])
		}
		gradient = max(gradient, math.Sqrt(diff/norm))
		for i := at; i < at+n; i++ {
			if math.Abs(float64(want.sum[i])) > 1e-3*math.Sqrt(norm/float64(n)) {
				weight = max(weight, math.Abs(float64(got.masters[i])-float64(want.masters[i]))/lr)
			}
		}
		at += n
	}
	return gradient, weight
}

func relativeDifference(got, want float64) float64 { return math.Abs(got-want) / math.Abs(want) }

// One optimizer step on seven pairs or documents of unequal lengths gives the same result as one batch, as batches
// of two, two, two and one, and as seven batches of one, up to the rounding of f32 sums in another order.
func TestStepIsIndependentOfBatchSize(t *testing.T) {
	const lr = 1e-3
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		check := func(objective string, split func(size int) taken) {
			whole := split(8)
			for _, size := range []int{2, 1} {
				got := split(size)
				gradient, weight := got.distances(whole, lr)
				loss, norm := relativeDifference(got.loss, whole.loss), relativeDifference(got.norm, whole.norm)
				t.Logf("%s, %d at a time: loss %.2g, gradient %.2g, norm %.2g, weights %.2g learning rates", objective, size, loss, gradient, norm, weight)
				if loss > 1e-6 || gradient > 2e-6 || norm > 1e-6 || weight > 2e-4 {
					t.Errorf("%s, %d at a time: differences of %.2g in the loss, %.2g in the gradient, %.2g in its norm and %.2g learning rates in a weight",
						objective, size, loss, gradient, norm, weight)
				}
			}
		}
		pairs := randomPairs(model.Config.VocabSize, 3)
		pairs = append(pairs, pairs[1], pairs[0], pairs[0], pairs[2])
		wide := map[bool]datasets.Shape{true: {Rows: 2, Length: 352, Targets: 544, Responses: 16}, false: {Rows: 1, Length: 208, Targets: 160, Responses: 4}}
		check("bfpo", func(size int) taken {
			s := newTestStepper(t, model, []string{"down_proj"}, testOptions("bfpo"))
			return step(t, s, wide[size == 8], size, pairs, len(pairs), lr)
		})
		if model.Config.VocabSize > 1000 {
			return // the losses are the same machinery, and compile for long
		}
		documents := randomDocuments(model.Config.VocabSize, 90, 12, 40, 7, 120, 33, 60)
		wide = map[bool]datasets.Shape{true: {Rows: 3, Length: 144, Targets: 384, Responses: 8}, false: {Rows: 1, Length: 160, Targets: 160, Responses: 2}}
		check("sft", func(size int) taken {
			s := newTestStepper(t, model, nil, testOptions("sft"))
			return step(t, s, wide[size == 8], size, documents, 90+12+40+7+120+33+60-7, lr)
		})
	})
}

// randomDocuments are rows of one document of random tokens each.
func randomDocuments(vocabulary int, lengths ...int) (rows []datasets.Document) {
	rng := rand.New(rand.NewPCG(5, 6))
	for i, n := range lengths {
		d := datasets.Document{ID: fmt.Sprint(i), IDs: make([]int32, n), Starts: []int{0}}
		for j := range d.IDs {
			d.IDs[j] = int32(rng.IntN(vocabulary))
		}
		rows = append(rows, d)
	}
	return rows
}

// Documents packed into one row have the same log-probabilities and the same gradient as documents in separate rows.
func TestPackedDocumentsAreIndependent(t *testing.T) {
	const lr = 1e-3
	onModels(t, dtypes.Float32, func(t *testing.T, model *mistral.Model) {
		documents := randomDocuments(model.Config.VocabSize, 50, 3, 71, 18)
		packed := datasets.Document{ID: "packed"}
		for _, d := range documents {
			packed.Starts = append(packed.Starts, len(packed.IDs))
			packed.IDs = append(packed.IDs, d.IDs...)
		}
		scored := len(packed.IDs) - len(documents)
		stepper := func() *Stepper { return newTestStepper(t, model, []string{"down_proj"}, testOptions("sft")) }
		tokens := tokenProgram(t, stepper())
		together := fill(t, datasets.Shape{Rows: 1, Length: 160, Targets: 160, Responses: 1}, packed)
		got, at := ofUnit(together, tokens(together), 1, 0), 0
		alone, worst := datasets.Shape{Rows: 1, Length: 80, Targets: 80, Responses: 1}, 0.0
		for _, d := range documents {
			b := fill(t, alone, d)
			want := ofUnit(b, tokens(b), 1, 0)
			relative, _ := difference(got[at:at+len(want)], want)
			worst = max(worst, relative)
			at += len(want)
		}
		if at != scored || len(got) != scored {
			t.Errorf("%d and %d targets, want %d", at, len(got), scored)
		}
		whole := step(t, stepper(), together.Shape, 1, []datasets.Document{packed}, scored, lr)
		apart := step(t, stepper(), alone, 1, documents, scored, lr)
		gradient, _ := apart.distances(whole, lr)
		loss := relativeDifference(apart.loss, whole.loss)
		t.Logf("log-probabilities %.2g, loss %.2g, gradient %.2g", worst, loss, gradient)
		if worst > 1e-6 || loss > 1e-6 || gradient > 2e-6 {
			t.Errorf("packed and apart differ by %.2g in log-probabilities, %.2g in the loss, %.2g in the gradient", worst, loss, gradient)
		}
	})
}

const supervisedRecipe = `
model_name_or_path: tiny
dataset_mixer: {quickstart/sft: 0.135} # 11 rows: steps of 8 and 3 an epoch
use_selective: true
selected_layers: [down_proj]
packing: false
max_seq_length: 256
learning_rate: 0.0001
logging_steps: 1
`

// A run gives the same result whether its steps of 8 rows, with a ragged step at the end of an epoch, are one batch
// or several micro-batches. The loss of a supervised step is the mean over all its tokens, not the mean of the
// micro-batches' means. (With a buffer a ragged step differs: as in the reference implementation, each micro-batch
// of the main set brings a whole micro-batch of the buffer.)
func TestRunIsIndependentOfBatchSize(t *testing.T) {
	for stage, accumulate := range map[string]int{"sft": 8, "train": 4} {
		run := func(batch, accumulate int) (records []Record, weights []float32) {
			sets := []string{"max_steps=3", "save_strategy=no", "learning_rate=0.0001", "log_rows=true", "use_selective=true", "selected_layers=down_proj",
				fmt.Sprint("per_device_train_batch_size=", batch), fmt.Sprint("gradient_accumulation_steps=", accumulate)}
			c := tinyConfig(t, append(sets, "use_buffer=false")...) // 9 rows: steps of 8 pairs and of 1
			if stage == "sft" {
				var err error
				if c, err = LoadConfig(fstest.MapFS{"sft.yaml": {Data: []byte(supervisedRecipe)}}, "sft", sets); err != nil {
					t.Fatal(err)
				}
				if c, err = c.As("sft"); err != nil {
					t.Fatal(err)
				}
			}
			dir := train(t, c)
			return metricsOf(t, dir), modelWeights(t, dir)
		}
		get := func(r Record, name string) float64 {
			value, ok := r.Get(name)
			if !ok {
				t.Errorf("%s, step %d: no %s", stage, r.Step, name)
			}
			return value
		}
		whole, want := run(8, 1)
		split, got := run(8/accumulate, accumulate)
		loss, norm, weight, means := 0.0, 0.0, 0.0, 0.0
		for i, r := range split {
			loss = max(loss, relativeDifference(get(r, "loss"), get(whole[i], "loss")))
			norm = max(norm, relativeDifference(get(r, "grad_norm"), get(whole[i], "grad_norm")))
			mean := 0.0
			for _, m := range r.Micro {
				mean += m.Loss / float64(len(r.Micro))
			}
			means = max(means, relativeDifference(mean, get(whole[i], "loss")))
		}
		for i := range want {
			weight = max(weight, math.Abs(float64(got[i])-float64(want[i])))
		}
		t.Logf("%s, %dx%d: loss %.2g, gradient norm %.2g, weights %.2g of 2e-4; the mean of means is off by %.2g", stage, 8/accumulate, accumulate,
			loss, norm, weight, means)
		if loss > 1e-6 || norm > 2e-6 || weight > 1e-6 {
			t.Errorf("%s, %dx%d: differences of %.2g in the loss, %.2g in the gradient norm, %.2g in the weights", stage, 8/accumulate, accumulate, loss, norm, weight)
		}
		if stage == "sft" && means < 1e-5 {
			t.Errorf("the mean of the micro-batches' means is off by %.2g only: these rows show nothing", means)
		}
	}
}

// modelWeights are the values of a run's model, one tensor behind the other.
func modelWeights(t *testing.T, dir string) (all []float32) {
	t.Helper()
	file, err := mistral.OpenSafetensors(filepath.Join(dir, "model", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, name := range file.Names() {
		data, err := file.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data.Bytes); at += 4 {
			all = append(all, math.Float32frombits(binary.LittleEndian.Uint32(data.Bytes[at:])))
		}
	}
	return all
}
