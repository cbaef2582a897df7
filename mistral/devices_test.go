package mistral_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// tinyOnDevices opens the given number of devices and loads a copy of the built-in model on each.
func tinyOnDevices(t *testing.T, devices int) (*device.Device, *mistral.Model) {
	t.Helper()
	d := graphtest.CPUDevices(t, devices)
	checkpoint, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	mesh, err := device.ParseMesh("data", devices, config.ShardingRules())
	if err != nil {
		t.Fatal(err)
	}
	model, err := mistral.LoadOnMesh(d, mesh, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close(); checkpoint.Close() })
	return d, model
}

// Several devices give the scores and the texts of one device to the last bit.
func TestDevicesShareTheWork(t *testing.T) {
	type results struct {
		scores []mistral.Score
		texts  [2][]mistral.Completion // greedy and sampled
		tokens int                     // calls of onToken
	}
	run := func(devices int) (r results) {
		d, m := tinyOnDevices(t, devices)
		prompts := raggedPrompts(m.Config, 23)
		var sequences []mistral.Sequence
		for i, prompt := range prompts {
			for n := range 3 {
				sequences = append(sequences, mistral.Sequence{
					PromptIDs:   slices.Concat(prompt, prompts[(i+1)%23], prompts[(i+2)%23]),
					ResponseIDs: prompts[(i+n)%23],
				})
			}
		}
		scorer := mistral.NewScorer(d, m.Config, m.Base, nil, dtypes.Float32)
		defer scorer.Close()
		var err error
		if r.scores, err = scorer.Score(context.Background(), sequences); err != nil {
			t.Fatal(err)
		}
		generator := mistral.NewGenerator(d, m.Config, m.Base, nil, dtypes.Float32)
		defer generator.Close()
		for i := range r.texts {
			o := mistral.GenerateOptions{MaxTokens: 9, Temperature: float64(i), Seed: 5}
			onToken := func(int, int32) { r.tokens++ }
			if r.texts[i], err = generator.Generate(context.Background(), prompts, o, onToken); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	want := run(1)
	got := run(3)
	if !reflect.DeepEqual(got.scores, want.scores) {
		t.Error("three devices give other scores than one")
	}
	if !reflect.DeepEqual(got.texts, want.texts) || got.tokens != want.tokens || want.tokens < 2*23 {
		t.Errorf("three devices generate %v in %d tokens, one %v in %d", got.texts, got.tokens, want.texts, want.tokens)
	}
}
