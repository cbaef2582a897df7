package step

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Before the first update policy and reference have equal weights, so their log-probabilities are equal to the last
// bit, both in the program that computes gradients and in the program that only measures.
func TestEqualWeightsGiveEqualLogProbs(t *testing.T) {
	for _, path := range equalModels(t) {
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
				for _, checkpointed := range []bool{false, true} {
					if path != "tiny" && (layers == nil || checkpointed) {
						continue // as many programs as the tiny model's would take minutes to compile
					}
					t.Run(fmt.Sprintf("%s,%v,layers=%v,checkpointed=%v", model.Config.ModelType, dtype, layers, checkpointed), func(t *testing.T) {
						o := Options{Objective: bfpo.Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5}, Optimizer: graph.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
							DType: dtype, Remat: checkpointed}
						checkEqualLogProbs(t, model, layers, o)
					})
				}
			}
			model.Close()
		}
	}
}

// equalModels are the built-in model and, where it was fetched before, SmolLM2.
func equalModels(t *testing.T) []string {
	cache, err := wheel.CacheDir("")
	if err != nil {
		t.Fatal(err)
	}
	if path, ok := wheel.Cached(models.QuickstartModel(), cache); ok && !testing.Short() && graphtest.Device(t).Platform() != device.PlatformGo {
		return []string{"tiny", path}
	}
	return []string{"tiny"}
}

func checkEqualLogProbs(t *testing.T, model *mistral.Model, layers []string, o Options) {
	s := newTestStepper(t, model, layers, o)
	batch, err := batch.Fill(runtest.RandomPairs(model.Config.VocabSize, 3), batch.Shared, []batch.Shape{{Rows: 2, Length: 256, Targets: 320, Responses: 6}})
	if err != nil {
		t.Fatal(err)
	}
	trained, measured := accumulateOne(t, s, batch, []float32{1, 1, 1}), measureOne(t, s, batch)
	for what, r := range map[string]Report{"with gradients": trained, "measured": measured} {
		if !slices.Equal(r.Policy, r.Reference) || r.Policy[0] == 0 {
			t.Errorf("%s: policy %v, reference %v", what, r.Policy, r.Reference)
		}
	}
}

// accumulateOne and measureOne call Accumulate and Measure of a Stepper on one device.
func accumulateOne(t *testing.T, s *Stepper, b batch.Batch, weights []float32) Report {
	t.Helper()
	pending, err := s.Accumulate([]batch.Batch{b}, [][]float32{weights})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return readOne(t, pending)
}

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

// Apply needs a new gradient: it does not use the last one twice.
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
	s := newTestStepper(t, model, []string{"down_proj"}, Options{Objective: bfpo.Objective{Name: "bfpo", Beta: 0.1, B1: 3, Alpha: 0.5}, DType: dtypes.Float32})
	if _, err := s.Apply(1e-3); err == nil || s.Step != 0 {
		t.Errorf("step %d, error %v", s.Step, err)
	}
}
