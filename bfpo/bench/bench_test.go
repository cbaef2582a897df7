package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/bfpo"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// benchFile writes pairs to a file in the format of the bench.
func benchFile(t *testing.T, pairs []batch.Pair) string {
	t.Helper()
	var text strings.Builder
	for _, p := range pairs {
		line, err := json.Marshal(pairRow{
			Prompt: p.Chosen.IDs[:p.Chosen.PromptLength],
			Chosen: p.Chosen.IDs[p.Chosen.PromptLength:], Rejected: p.Rejected.IDs[p.Rejected.PromptLength:],
			ChosenSafe: &p.ChosenSafe, RejectedSafe: &p.RejectedSafe,
		})
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	path := filepath.Join(t.TempDir(), "pairs_few.jsonl")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// benchConfig has a learning rate at which the losses move. Its schedule would show warm-up steps that count as steps.
func benchConfig(t *testing.T, sets ...string) recipe.Config {
	t.Helper()
	c, err := recipe.Load(nil, "", append([]string{
		"model_name_or_path=tiny", "beta=0.01", "learning_rate=1e-3", "selected_layers=down_proj", "use_selective=true",
	}, sets...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func runBench(t *testing.T, b Bench, c recipe.Config) Result {
	t.Helper()
	rt := runtest.Runtime(t, graphtest.Device(t))
	rt.Out, rt.Cache = io.Discard, t.TempDir()
	r, err := b.Run(context.Background(), rt, c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The three pairs have prompts of 9, 20 and 31 tokens, chosen answers of 50, 37 and 24 and rejected answers of 20, 37
// and 54 tokens.
func TestBenchRepeatsOneBatch(t *testing.T) {
	pairs := runtest.RandomPairs(512, 3)
	r := runBench(t, Bench{Pairs: benchFile(t, pairs), Batch: 3}, benchConfig(t))
	if r.TimedSteps != 7 || len(r.StepAll) != 7 || len(r.Losses) != 5 || r.Recompilations != 0 ||
		r.Name != "bfpo-few-f32" {
		t.Errorf("%+v", r)
	}
	const real, computed = 2*(9+20+31) + 50 + 20 + 37 + 37 + 24 + 54, 9 + 20 + 31 + 50 + 20 + 37 + 37 + 24 + 54
	if r.RealTokens != 7*real || r.ComputedTokens != 7*computed || r.PaddedTokens < r.ComputedTokens {
		t.Errorf("%d real tokens, %d computed, %d padded; want %d, %d, and at least as many padded as computed",
			r.RealTokens, r.ComputedTokens, r.PaddedTokens, 7*real, 7*computed)
	}
	if want := 1e3 * 3 / r.StepMedian; math.Abs(r.PairsPerSecond-want) > 1e-3*want {
		t.Errorf("%v pairs/s, by the median %v", r.PairsPerSecond, want)
	}
	// While policy = reference, the targets of (safe, safe), (unsafe, unsafe) and (safe, unsafe) are 50, -50 and 100
	// nats away.
	want := (2500.0 + 2500 + 10000) / 3
	if r.FirstLoss != r.Losses[0] || math.Abs(r.FirstLoss-want) > 1e-6*want || r.Losses[1] >= r.FirstLoss {
		t.Errorf("losses %v, want %v first and a lower one next", r.Losses, want)
	}
	remat := runBench(t, Bench{Pairs: benchFile(t, pairs), Batch: 3, Steps: 2},
		benchConfig(t, "gradient_checkpointing=true", "torch_dtype=bfloat16"))
	if !remat.Checkpointed || remat.Name != "bfpo-few-bf16-checkpointed" || remat.TimedSteps != 2 ||
		len(remat.Losses) != 2 {
		t.Errorf("%+v", remat)
	}
}

// The losses of a pass equal the losses of the same steps without warm-up steps, which shows that the state was reset.
func TestBenchWholeFile(t *testing.T) {
	pairs := slices.Concat(runtest.RandomPairs(512, 3), runtest.RandomPairs(512, 2)) // batches of 2, 2 and 1
	path := benchFile(t, pairs)
	r := runBench(t, Bench{Pairs: path, Batch: 2}, benchConfig(t))
	if r.TimedSteps != 3 || len(r.Losses) != 3 || r.Recompilations != 0 || len(r.Shapes) == 0 {
		t.Fatalf("%+v", r)
	}
	total := r.StepAll[0] + r.StepAll[1] + r.StepAll[2]
	if want := 5e3 / total; math.Abs(r.PairsPerSecond-want) > 1e-3*want {
		t.Errorf("%v pairs/s, by the sum of the steps %v", r.PairsPerSecond, want)
	}
	if want := directLosses(t, pairs, 2); !slices.Equal(r.Losses, want) {
		t.Errorf("losses %v, without warm-up %v", r.Losses, want)
	}
	once := runBench(t, Bench{Pairs: path, Batch: 2}, benchConfig(t, "precompute_ref_log_probs=true"))
	if !once.Precomputed || once.Reference <= 0 || once.Name != "bfpo-few-f32-precomputed" || once.Recompilations != 0 {
		t.Errorf("%+v", once)
	}
	total = once.StepAll[0] + once.StepAll[1] + once.StepAll[2] + 1e3*once.Reference
	if want := 5e3 / total; math.Abs(once.PairsPerSecond-want) > 1e-3*want {
		t.Errorf("%v pairs/s, by the steps and the reference %v", once.PairsPerSecond, want)
	}
	for i, loss := range once.Losses {
		if math.Abs(loss-r.Losses[i]) > 1e-5*r.Losses[i] {
			t.Errorf("losses %v with the reference computed once, %v in each step", once.Losses, r.Losses)
		}
	}
	runBench(t, Bench{Pairs: path, Batch: 2, Steps: 1}, benchConfig(t, "precompute_ref_log_probs=true"))
	first := runBench(t, Bench{Pairs: path, Batch: 2, Steps: 1}, benchConfig(t))
	real := 0
	for _, p := range pairs[:2] {
		real += len(p.Chosen.IDs) + len(p.Rejected.IDs)
	}
	if first.TimedSteps != 1 || first.RealTokens != real {
		t.Errorf("%+v", first)
	}
}

// directLosses trains on the pairs in order and returns the losses. The schedule is as in benchConfig: linear from 1e-3
// to 0.
func directLosses(t *testing.T, pairs []batch.Pair, size int) (losses []float64) {
	t.Helper()
	c := benchConfig(t)
	model, err := pretrained.Open("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	loaded, err := mistral.Load(graphtest.Device(t), model, c.ComputeDType(false))
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	names, err := mistral.Trainable(loaded.Config, c.SelectedLayers)
	if err != nil {
		t.Fatal(err)
	}
	state, err := step.NewState(graphtest.Device(t), loaded, names)
	if err != nil {
		t.Fatal(err)
	}
	s, err := step.NewStepper(graphtest.Device(t), loaded, state, step.Options{
		Objective: bfpo.Objective{Name: "bfpo", Beta: 0.01, B1: 3, Alpha: 0.5},
		Optimizer: graph.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}, MaxGradNorm: 1, DType: c.ComputeDType(false),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	defer s.Free()
	schedule := step.Schedule{Kind: c.LRSchedulerType, Peak: c.LearningRate, Total: (len(pairs) + size - 1) / size}
	batches := slices.Collect(slices.Chunk(pairs, size))
	shapes := batch.PlanShapes(slices.Values(batches), batch.Shared, step.RowsPerCall, 6)
	for n, examples := range batches {
		m, err := step.LayOut(examples, shapes, 1)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		pending, err := s.AccumulateMicroBatch(m, float32(1/float64(len(examples))))
		if err != nil {
			t.Fatal(err)
		}
		reports, err := pending.Read()
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range m.Batches {
			for _, loss := range reports[i].Loss[:len(b.IDs)] {
				sum += float64(loss)
			}
		}
		losses = append(losses, sum/float64(len(examples)))
		if _, err := s.Apply(schedule.LearningRate(n)); err != nil {
			t.Fatal(err)
		}
	}
	return losses
}

// validRow is a line of a valid pairs file.
const validRow = `{"prompt_ids":[1,2],"chosen_ids":[3],"rejected_ids":[4],` +
	`"is_chosen_safe":true,"is_rejected_safe":false}` + "\n"

func TestBenchRefuses(t *testing.T) {
	good := validRow
	long := strings.Replace(good, "[3]", "[3"+strings.Repeat(",3", 2046)+"]", 1)
	cases := []struct {
		name, text, want string
		usage            bool
		b                Bench
		sets             []string
	}{
		{"empty", "\n", "no pair", false, Bench{Batch: 1}, nil},
		{"no prompt", good + strings.Replace(good, "[1,2]", "[]", 1), "line 2: prompt_ids is missing or empty", false,
			Bench{Batch: 1}, nil},
		{"no rejected", strings.Replace(good, `"rejected_ids":[4],`, "", 1), "line 1: rejected_ids is missing", false,
			Bench{Batch: 1}, nil},
		{"no label", strings.Replace(good, `,"is_rejected_safe":false`, "", 1), "line 1: is_rejected_safe is missing",
			false, Bench{Batch: 1}, nil},
		{"label of another type", strings.Replace(good, "true", "1", 1), "line 1: ", false, Bench{Batch: 1}, nil},
		{"vocabulary", good + "\n" + strings.Replace(good, "[3]", "[3,512]", 1),
			"line 3: chosen_ids: token 512 at place 1 is not in the model's vocabulary of 512", false, Bench{Batch: 1}, nil},
		{"negative", strings.Replace(good, "[4]", "[-1]", 1), "rejected_ids: token -1", false, Bench{Batch: 1}, nil},
		{"too long", long, "a row of 2049 tokens", false, Bench{Batch: 1}, nil},
		{"torn", good + good[:40], "line 2: ", false, Bench{Batch: 1}, nil},
		{"batch larger than the file", good + good, "2 pairs are less than one batch of 3", false, Bench{Batch: 3}, nil},
		{"no batch", good, "-batch=0", true, Bench{}, nil},
		{"negative steps", good, "-steps=-1", true, Bench{Batch: 1, Steps: -1}, nil},
		{"supervised", good, "sft compares no pairs", true, Bench{Batch: 1}, []string{"objective=sft"}},
		{"order", good, "as they are", true, Bench{Batch: 1}, []string{"objective=dpo", "preference_by=safety"}},
		{"unknown layer", good, "down_prj", true, Bench{Batch: 1}, []string{"selected_layers=down_prj"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.b.Pairs = filepath.Join(t.TempDir(), "pairs.jsonl")
			if err := os.WriteFile(c.b.Pairs, []byte(c.text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := c.b.Run(context.Background(), runtest.Runtime(t, graphtest.Device(t)), benchConfig(t, c.sets...))
			var usage *usage.Error
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &usage) != c.usage {
				t.Errorf("got %v, want %q, a usage error: %v", err, c.want, c.usage)
			}
		})
	}
}

func FuzzBenchPairs(f *testing.F) {
	f.Add([]byte(validRow + "\n{}"))
	f.Add([]byte(`{"prompt_ids":[1e9]}`))
	m := config.Config{VocabSize: 8, MaxPositionEmbeddings: 6}
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			pairs, err := parsePairs("x", text, m)
			if err != nil && pairs != nil {
				t.Error("parsePairs returned both pairs and an error")
			}
			for i, p := range pairs {
				if want := fmt.Sprintf("x#%d", i); p.ID != want {
					t.Errorf("%q, want %q", p.ID, want)
				}
				for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
					if s.PromptLength < 1 || len(s.IDs) <= s.PromptLength || len(s.IDs) > 6 ||
						slices.Min(s.IDs) < 0 || slices.Max(s.IDs) > 7 {
						t.Errorf("%+v", s)
					}
				}
			}
		})
	})
}
