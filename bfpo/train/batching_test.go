package train

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

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

// A run has the same result whether its steps of 8 rows are one batch or several micro-batches, including the shorter
// step at the end of an epoch. The loss of a supervised step is the mean over all its tokens, not the mean of the
// micro-batches' means. (With a buffer, the shorter step differs: as in the original code, each micro-batch of the main
// set comes with a full micro-batch of the buffer.)
func TestRunIsIndependentOfBatchSize(t *testing.T) {
	for stage, accumulate := range map[string]int{"sft": 8, "train": 4} {
		run := func(batch, accumulate int) (records []track.Record, weights []float32) {
			sets := []string{
				"max_steps=3", "save_strategy=no", "learning_rate=0.0001", "log_rows=true",
				"use_selective=true", "selected_layers=down_proj",
				fmt.Sprint("per_device_train_batch_size=", batch), fmt.Sprint("gradient_accumulation_steps=", accumulate),
			}
			c := runtest.Config(t, append(sets, "use_buffer=false")...) // 9 rows: steps of 8 pairs and of 1
			if stage == "sft" {
				var err error
				recipes := fstest.MapFS{"sft.yaml": {Data: []byte(supervisedRecipe)}}
				if c, err = recipe.Load(recipes, "sft", sets); err != nil {
					t.Fatal(err)
				}
				if c, err = c.ForStage("sft"); err != nil {
					t.Fatal(err)
				}
			}
			dir := train(t, c)
			return metricsOf(t, dir), modelWeights(t, dir)
		}
		get := func(r track.Record, name string) float64 {
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
		text := fmt.Sprintf("%s, %d × %d: differences of %.2g in the loss, %.2g in the gradient norm, %.2g in the weights",
			stage, 8/accumulate, accumulate, loss, norm, weight)
		t.Logf("%s; the mean of means is off by %.2g", text, means)
		if loss > 1e-6 || norm > 2e-6 || weight > 1e-6 {
			t.Error(text)
		}
		if stage == "sft" && means < 1e-5 {
			t.Errorf("the mean of the micro-batches' means is off by only %.2g: these rows cannot show an error", means)
		}
	}
}

// modelWeights returns the weights of a run's model, tensor after tensor.
func modelWeights(t *testing.T, dir string) (all []float32) {
	t.Helper()
	file, err := safetensors.Open(filepath.Join(dir, "model", "model.safetensors"))
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

func relativeDifference(got, want float64) float64 { return math.Abs(got-want) / math.Abs(want) }
