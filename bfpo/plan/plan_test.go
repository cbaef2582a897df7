package plan

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// planRecipe plans a recipe, given as YAML, on a device.
func planRecipe(t *testing.T, d *device.Device, text string) (Plan, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "recipe.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := recipe.Load(os.DirFS(t.TempDir()), file, nil)
	if err != nil {
		t.Fatal(err)
	}
	rt := models.Runtime{Device: d, Cache: t.TempDir(), Out: io.Discard, Results: io.Discard}
	return New(context.Background(), rt, c)
}

const tinyPlan = `model_name_or_path: tiny
objective: bfpo
use_selective: true
selected_layers: [down_proj]
max_length: 128
max_prompt_length: 64
gradient_checkpointing: true
per_device_train_batch_size: 2
gradient_accumulation_steps: 3
`

const hubData = "dataset_mixer: {some/set: 1.0}\n"

func TestPlan(t *testing.T) {
	buffer := "use_buffer: true\nbuffer_dataset_mixer: {some/buffer: 1.0}\n"
	p, err := planRecipe(t, graphtest.Device(t), tinyPlan+hubData+buffer)
	if err != nil {
		t.Fatal(err)
	}
	if p.Parameters != 151872 || p.Trainable != 2*64*160 || p.Devices != 1 || p.Steps != 0 || !p.Fits {
		t.Errorf("plan %+v", p)
	}
	if p.Rows != 1 || p.Length != 256 || len(p.Notes) != 1 ||
		!strings.Contains(p.Notes[0], "some/set, some/buffer not read") {
		t.Errorf("%d rows of %d, notes %q", p.Rows, p.Length, p.Notes)
	}
	if p.Peak != p.Inputs+p.Temp+p.Outputs-p.Aliases ||
		p.Inputs < 4*(p.Parameters+4*p.Trainable) || p.Aliases != 4*p.Trainable {
		t.Errorf("peak %d, inputs %d, temporary %d, outputs %d, aliases %d", p.Peak, p.Inputs, p.Temp, p.Outputs, p.Aliases)
	}
	if p.Peak != p.Memory.Peak {
		t.Errorf("the plan's peak is %d, the peak in the banner of a run %d", p.Peak, p.Memory.Peak)
	}
}

// A small network is compiled for one GPU and for eight. It multiplies in bfloat16 and uses cuDNN's attention, forward
// and backward. With fsdp on eight GPUs, each holds an eighth of the inputs, and only weights are gathered.
func TestPlanForGPU(t *testing.T) {
	plans := map[int]Plan{}
	for _, n := range []int{1, 8} {
		sharded := fmt.Sprintf("bf16: true\nmesh: fsdp\ndevices: %d\n", n)
		p, err := planRecipe(t, graphtest.CompileOnlyGPUs(t, "h100", n), tinyPlan+hubData+sharded)
		if err != nil {
			t.Fatal(err)
		}
		// One of two layers has attention in the backward pass: nothing before the first layer's down_proj is trained.
		if !strings.HasPrefix(p.Attention, "cuDNN") || !strings.HasSuffix(p.Attention, " 1 backward") || p.Float32 != 0 {
			t.Errorf("%d GPUs: attention by %s; a share of %g of the FLOPs in float32", n, p.Attention, p.Float32)
		}
		n64, state := int64(n), 2*p.Parameters+16*p.Trainable
		if p.Devices != n || p.Aliases != 4*p.Trainable/n64 || p.Peak != p.Memory.Peak ||
			p.Available == 0 || !p.Fits {
			t.Errorf("%d GPUs: plan %+v", n, p)
		}
		batch := 4 * int64(6*p.Length+8) // tokens, positions, segments; three numbers for each target, too
		if share := (state + n64 - 1) / n64; p.Inputs < share || float64(p.Inputs-batch) > 1.05*float64(share) {
			t.Errorf("%d GPUs: inputs of %d bytes on each for a state of %d bytes", n, p.Inputs, state)
		}
		plans[n] = p
	}
	if ratio := plans[8].FLOPs / plans[1].FLOPs; ratio < 7.9 || ratio > 8.1 {
		t.Errorf("8 GPUs compute %g times the FLOPs of one", ratio)
	}
	for _, o := range plans[8].Programs[0].Work.Operations {
		if strings.Contains(o.Name, "all-gather") && !strings.HasPrefix(o.Result, "bf16[") ||
			strings.Contains(o.Name, "all-to-all") {
			t.Errorf("unexpected collective %v", o)
		}
	}
}

func TestPlanUnknownModel(t *testing.T) {
	_, err := planRecipe(t, graphtest.Device(t), strings.Replace(tinyPlan, ": tiny", ": some/model", 1)+hubData)
	if err == nil || !strings.Contains(err.Error(), "some/model") ||
		!strings.Contains(err.Error(), "mistralai/Mistral-7B-v0.1") {
		t.Errorf("error %v", err)
	}
}

func TestKnownArchitectures(t *testing.T) {
	for name, want := range map[string]int64{
		"mistralai/Mistral-7B-v0.1@main": 7241732096, "smollm2-135m-instruct": 134515008,
	} {
		c, ok, err := knownArchitecture(name)
		if err != nil || !ok || c.Parameters() != want {
			t.Errorf("%s: %d parameters, %v, %v", name, c.Parameters(), ok, err)
		}
	}
	for name := range knownModels() {
		if _, ok, err := knownArchitecture(name); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if _, ok, err := knownArchitecture("tiny"); ok || err != nil {
		t.Errorf("tiny: %v, %v", ok, err)
	}
}
