package train

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

func TestMicroBatchWeights(t *testing.T) {
	pairs := func(n int, buffer bool) step.MicroBatch {
		batches := make([]batch.Batch, n) // of one pair each
		for i := range batches {
			batches[i] = batch.Batch{IDs: make([]string, 1), ChosenSafe: make([]bool, 1)}
		}
		return step.MicroBatch{Batches: batches, Buffer: buffer}
	}
	micro := []step.MicroBatch{pairs(2, false), pairs(2, true), pairs(1, false), pairs(2, true)}
	clean := &Trainer{}
	if got := clean.weight(micro[0], micro); got != float32(1./3) { // 3 main pairs
		t.Errorf("main: %v", got)
	}
	if got := clean.weight(micro[3], micro); got != 0.25 { // 4 buffer pairs
		t.Errorf("buffer: %v", got)
	}
	seed := &Trainer{meanOfMeans: true, Count: step.Count{PerStep: 2}}
	if got := seed.weight(micro[2], micro); got != 0.5 { // the mean over one pair, over two micro-batches
		t.Errorf("seed: %v", got)
	}

	// The weight of supervised rows is one over the number of scored tokens in the step, here 3 + 2.
	row := func(owners ...int32) step.MicroBatch {
		b := batch.Batch{Shape: batch.Shape{Responses: 1}, IDs: []string{"d"}, Owner: owners}
		return step.MicroBatch{Batches: []batch.Batch{b}}
	}
	rows := []step.MicroBatch{row(0, 0, 0, -1), row(0, 0, -1, -1)}
	if got := clean.weight(rows[0], rows); got != 0.2 {
		t.Errorf("supervised: %v", got)
	}
}

// Steps of four main pairs and four buffer pairs have the same losses with one micro-batch of each set and with four of
// each. The 8 rows of the buffer are enough for two steps, so that the buffer does not start again.
// (TestRunIsIndependentOfBatchSize is the test without a buffer.)
func TestBufferIsIndependentOfBatchSize(t *testing.T) {
	run := func(batch, accumulate string) []track.Record {
		return metricsOf(t, train(t, runtest.Config(t, "shuffle=false", "max_steps=2", "save_strategy=no",
			"buffer_dataset_mixer={quickstart/helpful: 0.09}",
			"per_device_train_batch_size="+batch, "gradient_accumulation_steps="+accumulate)))
	}
	whole := run("4", "1")
	for i, r := range run("1", "4") {
		for _, name := range []string{
			"loss", "main/loss", "main/logps/chosen", "main/margins/nats",
			"buffer/loss", "buffer/logps/chosen", "buffer/margins/nats",
		} {
			want, _ := whole[i].Get(name)
			got, ok := r.Get(name)
			if !ok || math.Abs(got-want) > 1e-4*math.Max(1, math.Abs(want)) {
				t.Errorf("step %d: %s is %v, with one micro-batch %v", r.Step, name, got, want)
			}
		}
	}
}

// The losses without a reference model read log-probabilities per token of the response.
func TestPerTokenLosses(t *testing.T) {
	device := graphtest.GoDevice(t)
	softplus := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	logOdds := func(l float64) float64 { return l - math.Log(-math.Expm1(l)) }
	for objective, loss := range map[string]func(c, r float64) float64{
		"simpo": func(c, r float64) float64 { return softplus(0.5 - 0.1*(c-r)) },
		"orpo":  func(c, r float64) float64 { return -c + 0.1*softplus(logOdds(r)-logOdds(c)) },
	} {
		c := runtest.Config(t, "objective="+objective, "save_strategy=no", "use_buffer=false", "shuffle=false",
			"max_steps=2", "per_device_train_batch_size=1", "gradient_accumulation_steps=1", "learning_rate=0.01")
		in, err := data.Open(t.Context(), runtest.Runtime(t, device), c)
		if err != nil {
			t.Fatal(err)
		}
		pair := in.Sets.Main.Pairs[0]
		in.Close()
		records := metricsOf(t, trainOn(t, device, c))
		value := func(i int, name string) float64 {
			x, ok := records[i].Get(name)
			if !ok {
				t.Fatalf("step %d has no %s", i+1, name)
			}
			return x
		}
		got := value(0, "loss")
		want := loss(value(0, "logps/chosen")/float64(pair.Chosen.TargetCount()),
			value(0, "logps/rejected")/float64(pair.Rejected.TargetCount()))
		if margin := value(1, "margins/nats"); math.Abs(got-want) > 1e-5*want || margin == 0 || math.IsNaN(margin) {
			t.Errorf("%s: first loss %v, want %v; then the margin is %v", objective, got, want, margin)
		}
	}
}

// With average_log_prob the loss has the log-ratios per token. The set is one row, so that the second step, where
// policy and reference differ, is about the same pair.
func TestAverageLogProb(t *testing.T) {
	row := `{"prompt": "Q:", "chosen": " a long answer, no doubt", "rejected": " no"}` + "\n"
	path := filepath.Join(t.TempDir(), "row.jsonl")
	writeText(t, path, row)
	device := graphtest.GoDevice(t)
	c := runtest.Config(t, "objective=dpo", "beta=2", "average_log_prob=true", "save_strategy=no", "use_buffer=false",
		"dataset_mixer={"+path+": 1}", "max_steps=2", "per_device_train_batch_size=1", "gradient_accumulation_steps=1",
		"learning_rate=0.01")
	in, err := data.Open(t.Context(), runtest.Runtime(t, device), c)
	if err != nil {
		t.Fatal(err)
	}
	pair := in.Sets.Main.Pairs[0]
	in.Close()
	last := metricsOf(t, trainOn(t, device, c))[1]
	chosen, _ := last.Get("rewards/chosen") // beta times the sum over the tokens
	rejected, _ := last.Get("rewards/rejected")
	loss, _ := last.Get("loss")
	h := chosen/float64(pair.Chosen.TargetCount()) - rejected/float64(pair.Rejected.TargetCount())
	if want := math.Log1p(math.Exp(-h)); math.Abs(loss-want) > 1e-6 || math.Abs(h) < 1e-3 {
		t.Errorf("loss %v, want %v with a margin of %v", loss, want, h)
	}
}

// Every objective trains the model. Its first loss is the one where policy and reference are equal, so that every
// log-ratio is 0; then the margin moves. loss_type is TRL's name for the objective.
func TestFirstLosses(t *testing.T) {
	device := graphtest.GoDevice(t)
	want := map[string]float64{
		"bfpo":      81.25, // six of eight pairs have one safe answer, (1/beta)^2, the others (1/2/beta)^2
		"dpo":       math.Ln2,
		"ipo":       25, // 1/(2 beta)^2
		"robust":    math.Ln2,
		"hinge":     1,
		"exo_pair":  0.5*math.Log(0.5/0.9) + 0.5*math.Log(0.5/0.1),
		"nca_pair":  2 * math.Ln2,
		"bco_pair":  2 * math.Ln2,
		"sppo_hard": 50,
		"apo_zero":  1,
		"apo_down":  1,
		"discopop":  0.5*math.Ln2 + 0.5,
		"safe_dpo":  math.Ln2, // of pairs with equal labels, or with a delta of 0
		// With a weight of 0.5 the margin of the labels is the argument: two pairs have +1, four -1, and two 0.
		"modpo": (2*math.Log1p(math.E) + 4*math.Log1p(1/math.E) + 2*math.Ln2) / 8,
	}
	objectives := slices.DeleteFunc(bfpo.Objectives(), func(name string) bool {
		return name == "sft" || bfpo.Objective{Name: name}.PerToken() // see TestPerTokenLosses
	})
	for _, objective := range objectives {
		if _, ok := want[objective]; !ok {
			t.Fatalf("%s: no first loss is known", objective)
		}
	}
	for _, objective := range objectives {
		want := want[objective]
		set := "objective=" + objective
		if objective == "dpo" {
			set = "loss_type=sigmoid"
		}
		sets := []string{set, "save_strategy=no", "use_buffer=false", "max_steps=2"}
		if objective == "exo_pair" || objective == "robust" {
			sets = append(sets, "label_smoothing=0.1")
		}
		records := metricsOf(t, trainOn(t, device, runtest.Config(t, sets...)))
		loss, _ := records[0].Get("loss")
		margin, _ := records[1].Get("margins/nats")
		if math.Abs(loss-want) > 1e-5*want || margin == 0 || math.IsNaN(margin) {
			t.Errorf("%s: first loss %v, want %v; then the margin is %v", set, loss, want, margin)
		}
	}
}

func TestGradientCheckpointingAndBFloat16(t *testing.T) {
	plain := train(t, runtest.Config(t, "max_steps=2", "save_strategy=no"))
	remat := train(t, runtest.Config(t, "max_steps=2", "save_strategy=no", "gradient_checkpointing=true"))
	half := train(t, runtest.Config(t, "max_steps=2", "save_strategy=no", "bf16=true", "torch_dtype=bfloat16"))
	for i, r := range metricsOf(t, plain) {
		want, _ := r.Get("loss")
		if got, _ := metricsOf(t, remat)[i].Get("loss"); math.Abs(got-want) > 1e-5*want {
			t.Errorf("step %d: loss %v with gradient checkpointing, %v without", r.Step, got, want)
		}
		if got, _ := metricsOf(t, half)[i].Get("loss"); math.Abs(got-want) > 0.03*want {
			t.Errorf("step %d: loss %v in bfloat16, %v in float32", r.Step, got, want)
		}
	}
	single := readFile(t, filepath.Join(plain, "model/model.safetensors"))
	short := readFile(t, filepath.Join(half, "model/model.safetensors"))
	if len(short) > len(single)*6/10 {
		t.Errorf("the bfloat16 model has %d bytes, the float32 model %d", len(short), len(single))
	}
}

func TestSeedOrdersLaterEpochs(t *testing.T) {
	rows := func(seed string) []track.Record {
		return metricsOf(t, train(t, runtest.Config(t, "seed="+seed, "save_strategy=no", "log_rows=true")))
	}
	a, b := rows("1"), rows("2") // 3 steps an epoch
	if !slices.Equal(a[0].Rows[:2], b[0].Rows[:2]) {
		t.Errorf("first epoch: %v and %v, but its order depends on data_seed only", a[0].Rows, b[0].Rows)
	}
	if slices.Equal(a[3].Rows, b[3].Rows) && slices.Equal(a[4].Rows, b[4].Rows) {
		t.Errorf("second epoch: seeds 1 and 2 give the same order, %v", a[3].Rows)
	}
}

// The run evaluates more often than it saves, at a learning rate that makes later steps worse.
func TestBestModel(t *testing.T) {
	dir := train(t, runtest.Config(t, "learning_rate=0.3", "load_best_model_at_end=true", "save_steps=2",
		"evaluation_strategy=steps", "eval_steps=1", "eval_dataset_mixer={quickstart/heldout: 1.0}"))
	var best, bestStep float64
	for _, r := range metricsOf(t, dir) {
		if loss, ok := r.Get("eval_loss"); ok && r.Step%2 == 0 && (best == 0 || loss < best) {
			best, bestStep = loss, float64(r.Step)
		}
	}
	var state struct {
		Metric     float64 `json:"best_metric"`
		Checkpoint string  `json:"best_model_checkpoint"`
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(dir, "trainer_state.json")), &state); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("checkpoints/step-%v", bestStep); state.Metric != best || state.Checkpoint != want {
		t.Errorf("the best loss is %v at %s, want %v at %s", state.Metric, state.Checkpoint, best, want)
	}
	masters, err := safetensors.Open(filepath.Join(dir, state.Checkpoint, step.MastersFile))
	if err != nil {
		t.Fatal(err)
	}
	defer masters.Close()
	model, err := safetensors.Open(filepath.Join(dir, "model/model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	for _, name := range masters.Names() {
		want, _ := masters.Tensor(name)
		got, err := model.Tensor(name)
		if err != nil || !bytes.Equal(got.Bytes, want.Bytes) {
			t.Errorf("%s differs from the best checkpoint (error %v)", name, err)
		}
	}
}

func TestLastStepIsEvaluated(t *testing.T) {
	dir := train(t, runtest.Config(t, "max_steps=3", "save_strategy=no", "evaluation_strategy=steps", "eval_steps=2",
		"eval_dataset_mixer={quickstart/heldout: 1.0}"))
	records := metricsOf(t, dir)
	if last := records[len(records)-1]; !last.IsEvaluation() || last.Step != 3 {
		t.Errorf("last record: step %d, evaluation %v; want an evaluation after step 3", last.Step, last.IsEvaluation())
	}
}
