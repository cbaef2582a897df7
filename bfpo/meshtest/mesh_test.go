// Package meshtest tests whole training runs on several devices. It is separate from package train because go test
// limits the time of a package.
package meshtest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// meshRecipe has ten steps of up to 16 main pairs and as many buffer pairs, in two micro-batches each, with a shorter
// micro-batch at the end of every epoch.
const meshRecipe = `
model_name_or_path: tiny
dataset_mixer: {quickstart/safety: 0.122}
use_buffer: true
buffer_dataset_mixer: {quickstart/helpful: 0.08} # 7 rows
max_length: 384
max_prompt_length: 160
gradient_accumulation_steps: 2
max_steps: 10
learning_rate: 0.001
beta: 0.1
logging_steps: 1
save_steps: 4
`

// meshConfig returns a configuration that divides micro-batches of eight rows among the devices.
func meshConfig(t *testing.T, devices int, mesh string, sets ...string) recipe.Config {
	t.Helper()
	sets = append(sets[:len(sets):len(sets)], fmt.Sprintf("devices=%d", devices), "mesh="+mesh,
		fmt.Sprintf("per_device_train_batch_size=%d", 8/devices))
	c, err := recipe.Load(fstest.MapFS{"mesh.yaml": {Data: []byte(meshRecipe)}}, "mesh", sets)
	if err != nil {
		t.Fatal(err)
	}
	kind := "train"
	if c.Objective == "sft" {
		kind = "sft"
	}
	if c, err = c.ForStage(kind); err != nil {
		t.Fatal(err)
	}
	return c
}

// newRuntime returns a Runtime for a run on a device.
func newRuntime(t *testing.T, d *device.Device) models.Runtime {
	return models.Runtime{Device: d, Hub: &hub.Hub{Offline: true}, Out: t.Output(), Results: t.Output(), Version: "test"}
}

// outcome is the outcome of a run.
type outcome struct {
	losses, norms []float64
	weights       map[string][]float32
}

// runOn trains in a folder, where an earlier run may have left a checkpoint to resume from.
func runOn(t *testing.T, c recipe.Config, d *device.Device, dir string) outcome {
	t.Helper()
	if _, _, err := train.Train(context.Background(), newRuntime(t, d), c, dir); err != nil {
		t.Fatalf("%+v", err)
	}
	return readOutcome(t, dir)
}

// readOutcome reads the outcome of a run from its folder.
func readOutcome(t *testing.T, dir string) (o outcome) {
	t.Helper()
	records, err := track.ReadMetrics(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		loss, _ := r.Get("loss")
		norm, _ := r.Get("grad_norm")
		o.losses, o.norms = append(o.losses, loss), append(o.norms, norm)
	}
	model, err := pretrained.Open(filepath.Join(dir, "model"))
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	o.weights = map[string][]float32{}
	for _, spec := range model.Config.Tensors() {
		data, err := model.Tensor(spec.Name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(data.Bytes); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(data.Bytes[i:]))
			o.weights[spec.Name] = append(o.weights[spec.Name], x)
		}
	}
	return o
}

// distance returns the largest relative difference of a loss, of a gradient norm, and of a tensor (Euclidean).
func (a outcome) distance(b outcome) (loss, norm, weights float64) {
	for i := range b.losses {
		loss = max(loss, math.Abs(a.losses[i]/b.losses[i]-1))
		norm = max(norm, math.Abs(a.norms[i]/b.norms[i]-1))
	}
	for name, want := range b.weights {
		var diff, square float64
		for i, x := range want {
			d := float64(a.weights[name][i]) - float64(x)
			diff, square = diff+d*d, square+float64(x)*float64(x)
		}
		weights = max(weights, math.Sqrt(diff/square))
	}
	return loss, norm, weights
}

// check compares a run with a run on one device. The tolerance is 1e-5 at the learning rates of fine-tuning, and 1e-4
// at a learning rate that is two thousand times as large.
func (a outcome) check(t *testing.T, what string, b outcome, lr float64) {
	t.Helper()
	limit := 1e-5
	if lr > 1e-4 {
		limit = 1e-4
	}
	if len(a.losses) != len(b.losses) || len(b.losses) != 10 {
		t.Fatalf("%s: %d steps, on one device %d, want 10", what, len(a.losses), len(b.losses))
	}
	loss, norm, weights := a.distance(b)
	t.Logf("%s: loss %.1e, norm %.1e, weights %.1e", what, loss, norm, weights)
	if !(loss <= limit && norm <= limit && weights <= limit) {
		t.Errorf("%s: differs from one device by %.1e in the loss, %.1e in the norm, %.1e in the weights; limit %.0e",
			what, loss, norm, weights, limit)
	}
}

// meshCase is one kind of training.
type meshCase struct {
	name string
	lr   float64
	sets []string
}

func meshCases() []meshCase {
	var cases []meshCase
	sft := []string{
		"objective=sft", "dataset_mixer={quickstart/sft: 0.28}", "use_buffer=false", "max_seq_length=256", "packing=false",
	}
	for _, lr := range []float64{1e-3, 5e-7} {
		rate := fmt.Sprintf("learning_rate=%g", lr)
		selective := []string{rate, "use_selective=true", "selected_layers=[down_proj]"}
		cases = append(cases,
			meshCase{fmt.Sprintf("bfpo selective %g", lr), lr, selective},
			meshCase{fmt.Sprintf("bfpo full %g", lr), lr, []string{rate, "gradient_checkpointing=true"}},
			meshCase{fmt.Sprintf("sft selective %g", lr), lr, append(sft[:len(sft):len(sft)], selective...)},
			meshCase{fmt.Sprintf("sft full %g", lr), lr, append(sft[:len(sft):len(sft)], rate)})
	}
	return cases
}

// A run on any mesh equals a run on one device. With BFPO_TEST_LONG=1 the test trains in every way on every mesh of 2,
// 4 and 8 devices, which takes minutes.
func TestMeshesTrainAsOneDevice(t *testing.T) {
	cases := meshCases()
	meshes := map[int][]string{2: {"data", "zero1", "fsdp"}, 4: {"data=2,fsdp=2"}}
	if os.Getenv("BFPO_TEST_LONG") == "1" {
		meshes[4] = append(meshes[4], "data", "zero1", "fsdp")
		meshes[8] = []string{"data", "zero1", "fsdp", "data=2,fsdp=4"}
	} else {
		cases = []meshCase{cases[0], cases[7]}
	}
	for _, test := range cases {
		one := meshConfig(t, 1, "data", test.sets...)
		want := runOn(t, one, graphtest.Device(t), filepath.Join(t.TempDir(), "out"))
		for _, devices := range []int{2, 4, 8} {
			if meshes[devices] == nil {
				continue
			}
			d := graphtest.CPUDevices(t, devices)
			for _, mesh := range meshes[devices] {
				t.Run(fmt.Sprintf("%s/%d %s", test.name, devices, mesh), func(t *testing.T) {
					c := meshConfig(t, devices, mesh, test.sets...)
					got := runOn(t, c, d, filepath.Join(t.TempDir(), "out"))
					got.check(t, fmt.Sprintf("%s on %d devices, %s", test.name, devices, mesh), want, test.lr)
				})
			}
		}
	}
}

// A run that is stopped and resumed on another number of devices ends with the same weights as an uninterrupted run.
func TestResumeOnOtherDevices(t *testing.T) {
	test := meshCases()[0]
	want := runOn(t, meshConfig(t, 1, "data", test.sets...), graphtest.Device(t), filepath.Join(t.TempDir(), "out"))
	one := graphtest.Device(t)
	two, four := graphtest.CPUDevices(t, 2), graphtest.CPUDevices(t, 4)
	for _, order := range []struct {
		devices []*device.Device
		meshes  []string
	}{
		{[]*device.Device{four, one, two}, []string{"fsdp", "data", "zero1"}},
		{[]*device.Device{two, four, one}, []string{"data", "data=2,fsdp=2", "fsdp"}},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		for i, d := range order.devices {
			sets := test.sets
			if i > 0 {
				sets = append(sets[:len(sets):len(sets)], "resume_from_checkpoint=true")
			}
			c := meshConfig(t, d.NumDevices(), order.meshes[i], sets...)
			if i < 2 {
				stopAfter(t, c, d, dir, 4*(i+1))
			} else {
				runOn(t, c, d, dir)
			}
		}
		readOutcome(t, dir).check(t, fmt.Sprint("resumed on ", order.meshes), want, test.lr)
	}
}

// stopAfter trains up to a step that saves a checkpoint.
func stopAfter(t *testing.T, c recipe.Config, d *device.Device, dir string, step int) {
	t.Helper()
	training, err := train.Begin(context.Background(), newRuntime(t, d), c, dir)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for m, err := range training.Steps(context.Background()) {
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if m.Step == step {
			break
		}
	}
	if err := training.Close(); err != nil {
		t.Fatal(err)
	}
}
