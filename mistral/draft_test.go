package mistral

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

func TestDraft(t *testing.T) {
	for _, c := range []struct {
		name       string
		text, want []int32
	}{
		{"nothing was there before", []int32{1, 2, 3, 4, 5}, nil},
		{"one token is not enough", []int32{7, 1, 2, 7}, nil},
		{"two tokens", []int32{1, 2, 3, 4, 5, 1, 2}, []int32{3, 4, 5}},
		{"three tokens before two", []int32{9, 1, 2, 3, 4, 5, 8, 1, 2, 6, 6, 9, 1, 2}, []int32{3, 4, 5}},
		{"the last time counts", []int32{1, 2, 3, 3, 3, 1, 2, 4, 5, 6, 1, 2}, []int32{4, 5, 6}},
		{"round and round", []int32{5, 1, 2, 1, 2}, []int32{1, 2, 1}},
		{"the same again and again", []int32{5, 4, 4, 4}, []int32{4, 4, 4}},
		{"a short text", []int32{4, 4}, nil},
		{"no text", nil, nil},
	} {
		if got := draft(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// drawnWeights are random weights of a network.
func drawnWeights(c Config) *graph.Tensors {
	random, weights := rand.New(rand.NewPCG(1, 2)), &graph.Tensors{}
	for _, spec := range c.Tensors() {
		values := make([]float32, spec.Elements())
		for i := range values {
			values[i] = float32(random.NormFloat64()) * 0.3
		}
		weights.Add(spec.Name, tensors.FromFlatDataAndDimensions(values, spec.Dims...))
	}
	return weights
}

// generateIn generates with a row in each of the first slots, and tells in how many steps.
func generateIn(t *testing.T, slots int, g *generator, prompts [][]int32, o GenerateOptions) (texts []Completion, steps int) {
	t.Helper()
	b := &generation{generator: g, slots: make([]*slot, slots), task: &task{options: o, prompts: prompts, completions: make([]Completion, len(prompts))}}
	defer func() { finalize(b.cache) }()
	for row := range prompts {
		if err := b.begin(row, row); err != nil {
			t.Fatal(err)
		}
	}
	for ; slices.ContainsFunc(b.slots, func(s *slot) bool { return s != nil }); steps++ {
		if err := b.step(); err != nil {
			t.Fatal(err)
		}
	}
	return b.completions, steps
}

// Drafts change no token, whether they are right or wrong, and save steps where a text repeats itself.
func TestDraftsSaveSteps(t *testing.T) {
	c := Config{VocabSize: 31, HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2, HeadDim: 8,
		RMSNormEps: 1e-5, RopeTheta: 1e4, MaxPositionEmbeddings: 1024}
	prompts := [][]int32{{1, 2, 3, 4, 1, 2, 3}, {5, 6, 7, 8, 1}}
	for _, d := range []*graph.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
		g := NewGenerator(d, c, drawnWeights(c), nil, dtypes.Float32)
		defer g.Close()
		for _, o := range []GenerateOptions{{MaxTokens: 96}, {MaxTokens: 96, Temperature: 0.5, Seed: 3}} {
			drafted, few := generateIn(t, 2, g.devices[0], prompts, o)
			plain, many := generateIn(t, 4, g.devices[0], prompts, o) // too many for drafts
			for row := range prompts {
				if !slices.Equal(drafted[row].IDs, plain[row].IDs) || drafted[row].Stop != plain[row].Stop {
					t.Errorf("%s, temperature %g, row %d: %v with drafts, %v without", d.Platform(), o.Temperature, row, drafted[row], plain[row])
				}
			}
			if many != o.MaxTokens-1 || o.Temperature == 0 && few > many*2/3 {
				t.Errorf("%s, temperature %g: %d steps with drafts, %d without", d.Platform(), o.Temperature, few, many)
			}
			t.Logf("%s, temperature %g: %d steps with drafts, %d without", d.Platform(), o.Temperature, few, many)
		}
	}
}

// In the recorded answers of a real model drafts save steps.
func TestDraftsOfChats(t *testing.T) {
	var golden struct {
		Docs []struct {
			Prompt []int32 `json:"prompt_ids"`
			Greedy []int32 `json:"greedy_ids"`
		}
	}
	data, err := os.ReadFile(Shared(t, "golden", filepath.Join("..", "golden-eval", "chat_generate_and_sft_logprobs.json")))
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
	tokens, steps := 0, 0
	for _, doc := range golden.Docs {
		text, rest := append(doc.Prompt, doc.Greedy[0]), doc.Greedy[1:] // the first comes with the prompt
		tokens += len(rest)
		for ; len(rest) > 0; steps++ {
			right := 0
			for d := draft(text); right < min(len(d), len(rest)-1) && d[right] == rest[right]; right++ {
			}
			text, rest = append(text, rest[:right+1]...), rest[right+1:]
		}
	}
	t.Logf("%.2f tokens a step in %d chats", float64(tokens)/float64(steps), len(golden.Docs))
	if len(golden.Docs) == 0 || steps >= tokens {
		t.Errorf("%d steps for %d tokens", steps, tokens)
	}
}
