package mistral_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// scoredSequences returns sequences with prompts and responses of many lengths. Four neighbours at a time share a
// prompt, and some responses have one token or none.
func scoredSequences(c config.Config, n int) []mistral.Sequence {
	prompts := raggedPrompts(c, n)
	sequences := make([]mistral.Sequence, n)
	for i := range sequences {
		response := make([]int32, []int{3, 1, 30, 8, 12, 0, 5}[i%7])
		for j := range response {
			response[j] = int32((i*13 + j*j*11 + 2) % c.VocabSize)
		}
		sequences[i] = mistral.Sequence{PromptIDs: prompts[i/4*4], ResponseIDs: response}
	}
	return sequences
}

// score scores sequences and fails the test on an error.
func score(t *testing.T, s *mistral.Scorer, sequences []mistral.Sequence) []mistral.Score {
	t.Helper()
	scores, err := s.Score(context.Background(), sequences)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return scores
}

// plainScore computes the logits of a whole sequence and from them the log-probabilities in float64.
func plainScore(t *testing.T, p *device.Program, c config.Config, weights []*tensors.Tensor,
	q mistral.Sequence) mistral.Score {
	t.Helper()
	const length = 72
	text := slices.Concat(q.PromptIDs, q.ResponseIDs)
	tokens, positions, segments := make([]int32, length), make([]int32, length), make([]int32, length)
	for i, id := range text {
		tokens[i], positions[i], segments[i] = id, int32(i), 1<<graph.BranchBits
	}
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, 1, length),
		tensors.FromFlatDataAndDimensions(positions, 1, length), tensors.FromFlatDataAndDimensions(segments, 1, length)}
	out, err := p.Call(weights, in)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	all := floats(t, out[0][0])
	want := mistral.Score{Tokens: len(q.ResponseIDs), Greedy: true}
	for i, id := range q.ResponseIDs {
		logits := all[(len(q.PromptIDs)+i-1)*c.VocabSize:][:c.VocabSize]
		sum := 0.0
		for _, l := range logits {
			sum += math.Exp(float64(l))
		}
		logp := float64(logits[id]) - math.Log(sum)
		want.TokenLogProbs = append(want.TokenLogProbs, float32(logp))
		want.LogProb += logp
		want.Greedy = want.Greedy && slices.Index(logits, slices.Max(logits)) == int(id)
	}
	return want
}

func TestScoreEqualsLogits(t *testing.T) {
	const tolerance = 5e-5 // per token, as for logits
	plain, changed := smallConfig(), smallConfig()
	changed.TieWordEmbeddings, changed.SlidingWindow = true, 6
	for name, c := range map[string]config.Config{"plain": plain, "tied, window": changed} {
		for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
			t.Run(name+" on "+d.Platform(), func(t *testing.T) {
				weights, sequences := seededWeights(c, 4), scoredSequences(c, 40)
				// Some responses are the network's own greedy answers.
				g := mistral.NewGenerator(d, c, weights, nil, dtypes.Float32)
				defer g.Close()
				for _, row := range []int{0, 1, 2, 3, 30} {
					o := mistral.GenerateOptions{MaxTokens: 1 + row%7}
					sequences[row].ResponseIDs = generate(t, g, [][]int32{sequences[row].PromptIDs}, o)[0].IDs
				}
				s := mistral.NewScorer(d, c, weights, nil, dtypes.Float32)
				defer s.Close()
				p := device.NewProgram(d, t.Name(), logits(c, weights.Names))
				defer p.Close()
				greedy := 0
				for i, got := range score(t, s, sequences) {
					want := plainScore(t, p, c, weights.Values, sequences[i])
					if got.Tokens != want.Tokens || len(got.TokenLogProbs) != want.Tokens || got.Greedy != want.Greedy {
						t.Errorf("sequence %d: %d tokens, greedy %v, want %d, %v",
							i, got.Tokens, got.Greedy, want.Tokens, want.Greedy)
					}
					sum := 0.0
					for j, logp := range got.TokenLogProbs {
						sum += float64(logp)
						if diff := math.Abs(float64(logp - want.TokenLogProbs[j])); !(diff <= tolerance) {
							t.Errorf("sequence %d: log-probability of token %d off by %.2g", i, j, diff)
						}
					}
					if got.LogProb != sum {
						t.Errorf("sequence %d: sum %g, want %g", i, got.LogProb, sum)
					}
					if got.Greedy && got.Tokens > 0 {
						greedy++
					}
				}
				if greedy < 5 {
					t.Errorf("%d greedy responses, want the 5 generated ones", greedy)
				}
			})
		}
	}
}

// A score depends neither on the sequences that are scored with it nor on their order.
func TestScoreBatchInvariance(t *testing.T) {
	const tolerance = 1e-4 // of sums of up to 30 tokens
	c, d := smallConfig(), graphtest.Device(t)
	s := mistral.NewScorer(d, c, seededWeights(c, 4), nil, dtypes.Float32)
	defer s.Close()
	sequences := scoredSequences(c, 200)
	together := score(t, s, sequences)
	reversed := slices.Clone(sequences)
	slices.Reverse(reversed)
	backwards := score(t, s, reversed)
	for i := range sequences {
		if diff := math.Abs(together[i].LogProb - backwards[len(sequences)-1-i].LogProb); !(diff <= tolerance) {
			t.Errorf("sequence %d: sum off by %.2g in another order", i, diff)
		}
		if i%20 != 0 {
			continue
		}
		if diff := math.Abs(together[i].LogProb - score(t, s, sequences[i:i+1])[0].LogProb); !(diff <= tolerance) {
			t.Errorf("sequence %d: sum off by %.2g alone", i, diff)
		}
	}
}

// With products as sums of bfloat16, scores are close to the exact ones: within 0.0018 nat per token for random
// weights. They do not depend on the other sequences either.
func TestScoreBF16x3(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	weights, sequences := seededWeights(c, 4), scoredSequences(c, 100)
	exact := mistral.NewScorer(d, c, weights, nil, dtypes.Float32)
	rounded := mistral.NewScorer(d, c, weights, nil, dtypes.Float32).WithBF16x3()
	defer exact.Close()
	defer rounded.Close()
	want, got := score(t, exact, sequences), score(t, rounded, sequences)
	farthest := 0.0
	for i := range sequences {
		for j, logp := range got[i].TokenLogProbs {
			farthest = max(farthest, math.Abs(float64(logp-want[i].TokenLogProbs[j])))
		}
		if i%20 != 0 {
			continue
		}
		if diff := math.Abs(got[i].LogProb - score(t, rounded, sequences[i:i+1])[0].LogProb); !(diff <= 1e-4) {
			t.Errorf("sequence %d: sum off by %.2g alone", i, diff)
		}
	}
	if t.Logf("tokens are off by at most %.2g", farthest); !(farthest <= 5e-3) {
		t.Errorf("a token is off by %.2g", farthest)
	}
}

// Masters are read at each call, and are float32 over base weights in bfloat16, as in training.
func TestScoreMasters(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	base, other := seededWeights(c, 1), seededWeights(c, 2)
	name := config.LayerTensorName(1, config.DownProj)
	masters := &device.TensorSet{}
	masters.Add(name, base.Values[base.Index(name)])
	policy := mistral.NewScorer(d, c, base, masters, dtypes.BFloat16)
	reference := mistral.NewScorer(d, c, base, nil, dtypes.BFloat16)
	defer policy.Close()
	defer reference.Close()
	sequences := scoredSequences(c, 8)
	before, want := score(t, policy, sequences), score(t, reference, sequences)
	masters.Values[0] = other.Values[other.Index(name)]
	after := score(t, policy, sequences)
	for i := range sequences {
		if before[i].LogProb != want[i].LogProb {
			t.Errorf("sequence %d: %g with masters equal to the base, %g without", i, before[i].LogProb, want[i].LogProb)
		}
		if n := before[i].Tokens; n > 0 && after[i].LogProb == before[i].LogProb {
			t.Errorf("sequence %d: still %g after training", i, after[i].LogProb)
		}
	}
}

func TestScoreErrors(t *testing.T) {
	c := smallConfig()
	s := mistral.NewScorer(graphtest.Device(t), c, seededWeights(c, 1), nil, dtypes.Float32)
	defer s.Close()
	good := mistral.Sequence{PromptIDs: []int32{1}, ResponseIDs: []int32{2}}
	for _, e := range []struct {
		bad  mistral.Sequence
		want string
	}{
		{mistral.Sequence{ResponseIDs: []int32{2}}, "row 1: the prompt is empty"},
		{mistral.Sequence{PromptIDs: []int32{1, 97}, ResponseIDs: []int32{2}}, "row 1: prompt: token 97 at position 1"},
		{mistral.Sequence{PromptIDs: []int32{1}, ResponseIDs: []int32{-2}}, "row 1: response: token -2 at position 0"},
		{mistral.Sequence{PromptIDs: make([]int32, 1000), ResponseIDs: make([]int32, 26)},
			"row 1: prompt and response have 1026 tokens and the model 1024"},
	} {
		_, err := s.Score(context.Background(), []mistral.Sequence{good, e.bad})
		if err == nil || !strings.Contains(err.Error(), e.want) {
			t.Errorf("error %v, want one with %q", err, e.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Score(ctx, []mistral.Sequence{good}); err == nil {
		t.Error("scored with a cancelled context")
	}
	scores := score(t, s, []mistral.Sequence{{}})
	if scores[0].LogProb != 0 || scores[0].Tokens != 0 || !scores[0].Greedy {
		t.Errorf("an empty sequence scores %+v", scores[0])
	}
}
