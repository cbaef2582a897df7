package bfpo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/bfpo-go/bfpo/mistral"
)

// Before the first update policy and reference have equal weights, so their log-probabilities are equal to the last
// bit, both in the program that computes gradients and in the program that only measures.
func TestEqualWeightsGiveEqualLogProbs(t *testing.T) {
	for _, path := range equalModels(t) {
		checkpoint, err := mistral.Open(path)
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
						o := StepOptions{Objective: Objective{"bfpo", 0.1, 3, 0.5}, Optimizer: graph.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
							DType: dtype, Checkpointed: checkpointed}
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
	if path, ok := wheel.Cached(quickstartModel, cache); ok && !testing.Short() && graphtest.Device(t).Platform() != graph.PlatformGo {
		return []string{"tiny", path}
	}
	return []string{"tiny"}
}

func checkEqualLogProbs(t *testing.T, model *mistral.Model, layers []string, o StepOptions) {
	s := newTestStepper(t, model, layers, o)
	batch, err := datasets.Fill(randomPairs(model.Config.VocabSize, 3), datasets.Shared, []datasets.Shape{{Rows: 2, Length: 256, Targets: 320, Responses: 6}})
	if err != nil {
		t.Fatal(err)
	}
	trained, measured := accumulateOne(t, s, batch, []float32{1, 1, 1}), measureOne(t, s, batch)
	for what, r := range map[string]BatchReport{"with gradients": trained, "measured": measured} {
		if !slices.Equal(r.Policy, r.Reference) || r.Policy[0] == 0 {
			t.Errorf("%s: policy %v, reference %v", what, r.Policy, r.Reference)
		}
	}
}

// accumulateOne and measureOne call Accumulate and Measure of a Stepper on one device.
func accumulateOne(t *testing.T, s *Stepper, b datasets.Batch, weights []float32) BatchReport {
	t.Helper()
	reports, err := s.Accumulate(Batches{b}, [][]float32{weights})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return reports[0]
}

func measureOne(t *testing.T, s *Stepper, b datasets.Batch) BatchReport {
	t.Helper()
	reports, err := s.Measure(Batches{b})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return reports[0]
}

func newTestStepper(t *testing.T, model *mistral.Model, layers []string, o StepOptions) *Stepper {
	t.Helper()
	d := graphtest.Device(t)
	names, err := mistral.Trainable(model.Config, layers)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := newTrained(d, model, names)
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

// randomPairs are pairs of random tokens with prompts and responses of unequal lengths, up to 140 tokens a pair.
func randomPairs(vocabulary, n int) []datasets.Pair {
	rng := rand.New(rand.NewPCG(1, 2))
	ids := func(n int) []int32 {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32(rng.IntN(vocabulary))
		}
		return ids
	}
	pairs := make([]datasets.Pair, n)
	for i := range pairs {
		prompt := ids(9 + 11*i)
		response := func(length int) datasets.Sequence {
			return datasets.Sequence{IDs: slices.Concat(prompt, ids(length)), Prompt: len(prompt)}
		}
		pairs[i] = datasets.Pair{ID: fmt.Sprint(i), Chosen: response(50 - 13*i), Rejected: response(20 + 17*i), ChosenSafe: i%2 == 0, RejectedSafe: i%3 == 0}
	}
	return pairs
}

// Apply needs a new gradient: it does not use the last one twice.
func TestApplyWithoutGradient(t *testing.T) {
	checkpoint, err := mistral.Open("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	model, err := mistral.Load(graphtest.Device(t), checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	s := newTestStepper(t, model, []string{"down_proj"}, StepOptions{Objective: Objective{"bfpo", 0.1, 3, 0.5}, DType: dtypes.Float32})
	if _, err := s.Apply(1e-3); err == nil || s.Step != 0 {
		t.Errorf("step %d, error %v", s.Step, err)
	}
}
