package mistral_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// smolLM2 loads SmolLM2-135M-Instruct.
func smolLM2(t testing.TB) (*device.Device, *mistral.Model) {
	t.Helper()
	d := graphtest.Device(t)
	if d.Platform() == device.PlatformGo {
		t.Skip("too slow on the pure Go backend")
	}
	checkpoint, err := pretrained.Open(fixture.SmolLM2(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { model.Close() })
	return d, model
}

// smolLM2Golden are recorded answers to chats, and log-probabilities of chats and of the responses of preference pairs.
type smolLM2Golden struct {
	Chats []struct {
		Prompt      []int32 `json:"prompt_ids"`
		Greedy      []int32 `json:"greedy_ids"`
		Full        []int32 `json:"full_ids"`
		All         float64 `json:"sum_logprob_all"`
		AfterPrompt float64 `json:"sum_logprob_after_prompt"`
	}
	Pairs []struct {
		Chosen         []int32 `json:"chosen_ids"`
		ChosenPrompt   int     `json:"chosen_n_prompt"`
		ChosenLogp     float64 `json:"chosen_logp_sum"`
		Rejected       []int32 `json:"rejected_ids"`
		RejectedPrompt int     `json:"rejected_n_prompt"`
		RejectedLogp   float64 `json:"rejected_logp_sum"`
	}
}

// The greedy texts of a real model equal those of transformers, token for token, whatever rows are generated with them.
func TestGenerateSmolLM2(t *testing.T) {
	var golden smolLM2Golden
	fixture.Read(t, &golden, "smollm2.json")
	d, m := smolLM2(t)
	g := mistral.NewGenerator(d, m.Config, m.Base, nil, dtypes.Float32)
	defer g.Close()
	var prompts [][]int32
	for _, doc := range golden.Chats {
		prompts = append(prompts, doc.Prompt)
	}
	prompts = append(prompts, []int32{504, 3575, 282, 4649, 314}) // "The capital of France is"
	got, err := g.Generate(context.Background(), prompts, mistral.GenerateOptions{MaxTokens: 48}, nil)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i, doc := range golden.Chats {
		if !slices.Equal(got[i].IDs, doc.Greedy) {
			t.Errorf("row %d: %v, want %v", i, got[i].IDs, doc.Greedy)
		}
	}
	for i, doc := range golden.Chats[:2] { // alone, and so with drafts
		alone, err := g.Generate(context.Background(), prompts[i:i+1], mistral.GenerateOptions{MaxTokens: 48}, nil)
		if err != nil || !slices.Equal(alone[0].IDs, doc.Greedy) {
			t.Errorf("row %d alone: %v, want %v (%v)", i, alone, doc.Greedy, err)
		}
	}
	if first := got[len(got)-1].IDs[0]; first != 7042 { // " Paris"
		t.Errorf("the capital of France is token %d, want 7042", first)
	}
}

// The log-likelihoods of chats and of the responses of preference pairs equal those of transformers.
func TestScoreSmolLM2(t *testing.T) {
	const tolerance = 0.02 // nats, for sums over up to some hundred tokens
	sequences, want := goldenSequences(t)
	d, m := smolLM2(t)
	s := mistral.NewScorer(d, m.Config, m.Base, nil, dtypes.Float32)
	defer s.Close()
	worst := 0.0
	for i, score := range score(t, s, sequences) {
		if score.Tokens != len(sequences[i].ResponseIDs) {
			t.Errorf("sequence %d: %d tokens, want %d", i, score.Tokens, len(sequences[i].ResponseIDs))
		}
		for from, logp := range want[i] {
			sum := 0.0
			for _, token := range score.TokenLogProbs[from:] {
				sum += float64(token)
			}
			diff := math.Abs(sum - logp)
			worst = max(worst, diff)
			if !(diff <= tolerance) {
				t.Errorf("sequence %d: log-probability from token %d on %.4f, want %.4f", i, from, sum, logp)
			}
		}
	}
	t.Logf("%d sequences, worst difference %.2g", len(sequences), worst)
}

// goldenSequences returns chats and the responses of preference pairs. want gives, for each sequence, recorded
// log-probabilities of the rest of the response from some token on.
func goldenSequences(t *testing.T) (sequences []mistral.Sequence, want []map[int]float64) {
	t.Helper()
	add := func(ids []int32, prompt int, sums map[int]float64) {
		sequences = append(sequences, mistral.Sequence{PromptIDs: ids[:prompt], ResponseIDs: ids[prompt:]})
		want = append(want, sums)
	}
	var golden smolLM2Golden
	fixture.Read(t, &golden, "smollm2.json")
	for _, doc := range golden.Chats {
		add(doc.Full, 1, map[int]float64{0: doc.All, len(doc.Prompt) - 1: doc.AfterPrompt})
	}
	for _, doc := range golden.Pairs {
		add(doc.Chosen, doc.ChosenPrompt, map[int]float64{0: doc.ChosenLogp})
		add(doc.Rejected, doc.RejectedPrompt, map[int]float64{0: doc.RejectedLogp})
	}
	return sequences, want
}

// BenchmarkGenerate measures steps with 1 and 8 rows after prompts of 120 tokens. One iteration generates 32 tokens
// per row.
func BenchmarkGenerate(b *testing.B) {
	d, m := smolLM2(b)
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		base := loadAs(b, d, m, dtype)
		for _, rows := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/rows=%d", dtype, rows), func(b *testing.B) {
				g := mistral.NewGenerator(d, m.Config, base, nil, dtype)
				defer g.Close()
				prompts := make([][]int32, rows)
				for row := range prompts {
					for i := range int32(120) {
						prompts[row] = append(prompts[row], 100+int32(row)+7*i)
					}
				}
				var prefills, steps []float64 // seconds
				for range b.N + 1 {           // the first iteration compiles
					begun := time.Now()
					last := begun
					o := mistral.GenerateOptions{MaxTokens: 32}
					_, err := g.Generate(context.Background(), prompts, o, func(row int, _ int32) {
						if now := time.Now(); row == rows-1 {
							if last == begun {
								prefills = append(prefills, now.Sub(begun).Seconds())
							} else {
								steps = append(steps, now.Sub(last).Seconds())
							}
							last = now
						}
					})
					if err != nil {
						b.Fatalf("%+v", err)
					}
				}
				slices.Sort(steps)
				b.ReportMetric(1e3*steps[0], "ms/step-min")
				b.ReportMetric(1e3*steps[len(steps)/2], "ms/step")
				b.ReportMetric(float64(rows)/steps[len(steps)/2], "tokens/s")
				b.ReportMetric(float64(rows*120)/slices.Min(prefills), "prompt-tokens/s")
			})
		}
	}
}

// BenchmarkScore measures the scoring of pairs with a common prompt and of long texts. It counts the tokens of all
// prompts and responses, shared or not.
func BenchmarkScore(b *testing.B) {
	d, m := smolLM2(b)
	ids := make([]int32, 1024)
	for i := range ids {
		ids[i] = int32(100 + 7*i)
	}
	var pairs, texts []mistral.Sequence
	for i := range 16 {
		pairs = append(pairs, mistral.Sequence{PromptIDs: ids[i/2 : i/2+100], ResponseIDs: ids[400+i : 500+9*i]})
	}
	for i := range 4 {
		texts = append(texts, mistral.Sequence{PromptIDs: ids[i : i+1], ResponseIDs: ids[i+1 : 512+i]})
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		s := mistral.NewScorer(d, m.Config, loadAs(b, d, m, dtype), nil, dtype)
		defer s.Close()
		for name, sequences := range map[string][]mistral.Sequence{"pairs": pairs, "texts": texts} {
			tokens := 0
			for _, q := range sequences {
				tokens += len(q.PromptIDs) + len(q.ResponseIDs)
			}
			b.Run(dtype.String()+"/"+name, func(b *testing.B) {
				for i := range b.N + 1 {
					if i == 1 {
						b.ResetTimer() // the first iteration compiles
					}
					if _, err := s.Score(context.Background(), sequences); err != nil {
						b.Fatalf("%+v", err)
					}
				}
				b.ReportMetric(float64(b.N*tokens)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}

// loadAs returns the model's weights in another dtype.
func loadAs(b *testing.B, d *device.Device, m *mistral.Model, dtype dtypes.DType) *device.TensorSet {
	b.Helper()
	if dtype == dtypes.Float32 {
		return m.Base
	}
	other, err := mistral.Load(d, m.Pretrained, dtype)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { other.Close() })
	return other.Base
}
