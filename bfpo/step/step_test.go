package step

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Before the first update, policy and reference model have equal weights, so their log-probabilities are identical,
// both in the program that computes gradients and in the program that only measures.
func TestEqualWeightsGiveEqualLogProbs(t *testing.T) {
	for _, path := range modelPaths(t) {
		checkpoint, err := pretrained.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer checkpoint.Close()
		for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
			model, err := mistral.Load(graphtest.Device(t), checkpoint, dtype)
			if err != nil {
				t.Fatal(err)
			}
			for _, layers := range [][]string{{"down_proj"}, nil} {
				for _, remat := range []bool{false, true} {
					if path != "tiny" && (layers == nil || remat) {
						continue // the programs of a larger model take minutes to compile
					}
					name := fmt.Sprintf("%s,%v,layers=%v,remat=%v", model.Config.ModelType, dtype, layers, remat)
					t.Run(name, func(t *testing.T) {
						o := testOptions("bfpo")
						o.DType, o.Remat = dtype, remat
						checkEqualLogProbs(t, model, layers, o)
					})
				}
			}
			model.Close()
		}
	}
}

// modelPaths returns the built-in model, and SmolLM2 if it is in the cache.
func modelPaths(t *testing.T) []string {
	cache, err := wheel.CacheDir("")
	if err != nil {
		t.Fatal(err)
	}
	path, cached := wheel.Cached(models.QuickstartWheel(), cache)
	if cached && !testing.Short() && graphtest.Device(t).Platform() != device.PlatformGo {
		return []string{"tiny", path}
	}
	return []string{"tiny"}
}

func checkEqualLogProbs(t *testing.T, model *mistral.Model, layers []string, o Options) {
	s := newTestStepper(t, model, layers, o)
	shape := batch.Shape{Rows: 2, Length: 256, Targets: 320, Responses: 6}
	b := fill(t, shape, runtest.RandomPairs(model.Config.VocabSize, 3)...)
	trained, measured := accumulateOne(t, s, b, []float32{1, 1, 1}), measureOne(t, s, b)
	for what, r := range map[string]Report{"with gradients": trained, "measured": measured} {
		if !slices.Equal(r.Policy, r.Reference) || r.Policy[0] == 0 {
			t.Errorf("%s: policy %v, reference %v", what, r.Policy, r.Reference)
		}
	}
}

// accumulateOne accumulates one batch on one device.
func accumulateOne(t *testing.T, s *Stepper, b batch.Batch, weights []float32) Report {
	t.Helper()
	pending, err := s.Accumulate([]batch.Batch{b}, [][]float32{weights})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return readOne(t, pending)
}

// measureOne measures one batch on one device.
func measureOne(t *testing.T, s *Stepper, b batch.Batch) Report {
	t.Helper()
	pending, err := s.Measure([]batch.Batch{b})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return readOne(t, pending)
}

func readOne(t *testing.T, pending Pending) Report {
	t.Helper()
	reports, err := pending.Read()
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return reports[0]
}

func newTestStepper(t *testing.T, model *mistral.Model, layers []string, o Options) *Stepper {
	t.Helper()
	d := graphtest.Device(t)
	names, err := mistral.Trainable(model.Config, layers)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := NewState(d, model, names)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStepper(d, model, trained, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		for _, set := range s.sets() {
			(*set.at).Finalize()
		}
	})
	return s
}

// Apply refuses to run without a gradient.
func TestApplyWithoutGradient(t *testing.T) {
	checkpoint, err := pretrained.Open("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	model, err := mistral.Load(graphtest.Device(t), checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	s := newTestStepper(t, model, []string{"down_proj"}, testOptions("bfpo"))
	if _, err := s.Apply(1e-3); err == nil || s.Step != 0 {
		t.Errorf("step %d, error %v", s.Step, err)
	}
}
