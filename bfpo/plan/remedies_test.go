package plan

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// twoLayers is a small network of two layers; down_proj has 8 x 16 weights in each.
const twoLayers = `{"architectures": ["MistralForCausalLM"], "model_type": "mistral", "hidden_size": 8,
"intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 32,
"max_position_embeddings": 256, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": false}`

// compileSmall compiles a step of the small network on the Go backend, where a step takes what stays resident.
func compileSmall(t *testing.T, change func(*recipe.Config)) Step {
	t.Helper()
	network, err := config.Parse("config.json", []byte(twoLayers))
	if err != nil {
		t.Fatal(err)
	}
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	c := recipe.Default()
	c.MaxLength, c.MaxPromptLength, c.UseSelective, c.SelectedLayers = 128, 64, true, []string{"down_proj"}
	change(&c)
	log := slog.New(slog.DiscardHandler)
	s, err := Compile(d, c, network, []batch.Shape{fullShape(c, network)}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stepper.Close)
	return s
}

// The suggested number of layers is the largest that fits: with one byte less, one layer less is suggested.
func TestMostLayers(t *testing.T) {
	const layer = 4 * 4 * 8 * 16 // masters, two moments and gradients of one layer's down_proj, in bytes
	s := compileSmall(t, func(*recipe.Config) {})
	suggestion := func(available int64) string {
		s.Memory.Available = Reserve + available
		for _, r := range s.Remedies() {
			if strings.Contains(r, "selected_layers") {
				return r
			}
		}
		return ""
	}
	all := s.Memory.Peak
	for name, c := range map[string]struct {
		available int64
		want      string
	}{
		"a byte less than both layers": {all - 1, "-set='selected_layers=[layers.1.mlp.down_proj]', the last 1 of 2 layers"},
		"exactly one layer":            {all - layer, "the last 1 of 2 layers, the most that fit"},
		"a byte less than one layer":   {all - layer - 1, ""},
	} {
		if got := suggestion(c.available); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A recipe that trains all weights gets down_proj of all layers, or of the most that fit.
func TestMostLayersOfAllWeights(t *testing.T) {
	const layer = 4 * 4 * 8 * 16
	s := compileSmall(t, func(c *recipe.Config) { c.UseSelective = false })
	for room, want := range map[int64]string{
		2 * layer:     "-set=use_selective=true -set=selected_layers=down_proj",
		2*layer - 1:   "-set=use_selective=true -set='selected_layers=[layers.1.mlp.down_proj]', the last 1 of 2 layers",
		layer - 1:     "",
		1000000 * 100: "-set=use_selective=true -set=selected_layers=down_proj",
	} {
		bytes, got := s.mostLayers(room)
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") || 4*bytes > room {
			t.Errorf("room of %d bytes: %q of %d bytes, want %q", room, got, 4*bytes, want)
		}
	}
}

func TestLongestLength(t *testing.T) {
	s := Step{recipe: recipe.Config{MaxLength: 128, Objective: "bfpo"}}
	for _, c := range []struct {
		room, activations int64
		want              int
	}{{75, 100, 96}, {74, 100, 64}, {24, 100, 0}, {100, 100, 0}, {-5, 100, 0}, {10, 0, 0}} {
		if got := s.longestLength(c.room, c.activations); got != c.want {
			t.Errorf("room %d for %d: %d, want %d", c.room, c.activations, got, c.want)
		}
	}
}

func TestEstimateTime(t *testing.T) {
	p := Plan{FLOPs: 8e12, Devices: 2, PerEpoch: 900}
	p.estimateTime(Speed{FLOPS: 1e12})
	if p.StepSeconds != 4 || p.Hours != 1 {
		t.Errorf("%g s a step, %g hours an epoch; want 4 and 1", p.StepSeconds, p.Hours)
	}
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := measureSpeed(d, recipe.Default().ComputeDType(false))
	if err != nil || !(s.FLOPS > 0) || !strings.Contains(s.Assumption, "measured now") {
		t.Errorf("%+v, %v", s, err)
	}
}
