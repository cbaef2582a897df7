package mistral

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// drafter returns a function that drafts what follows a text of up to 256 tokens, with lookahead as the predictions
// after it.
func drafter(t *testing.T, d *device.Device) func(text, lookahead []int32) []int32 {
	const columns = 256
	p := device.NewProgram(d, "draft", func(in [][]*Node) [][]*Node {
		return [][]*Node{{Concatenate(draft(in[0][0], in[0][1], draftTokens), -1)}}
	})
	t.Cleanup(p.Close)
	return func(text, lookahead []int32) []int32 {
		t.Helper()
		row := make([]int32, columns)
		copy(row[copy(row, text):], lookahead)
		length := tensors.FromValue([]int32{int32(len(text))})
		out, err := p.Call([]*tensors.Tensor{tensors.FromFlatDataAndDimensions(row, 1, columns), length})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		ids, err := tensors.CopyFlatData[int32](out[0][0])
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
}

func TestDraft(t *testing.T) {
	lookahead := []int32{11, 12, 13}
	for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
		draft := drafter(t, d)
		for _, c := range []struct {
			name       string
			text, want []int32
		}{
			{"no match", []int32{1, 2, 3, 4, 5}, lookahead},
			{"one token", []int32{7, 1, 2, 7}, []int32{1, 2, 7}},
			{"two tokens", []int32{1, 2, 3, 4, 5, 1, 2}, []int32{3, 4, 5}},
			{"two tokens rather than one", []int32{1, 2, 3, 4, 5, 2, 6, 1, 2}, []int32{3, 4, 5}},
			{"three tokens rather than two", []int32{9, 1, 2, 3, 4, 5, 8, 1, 2, 6, 6, 9, 1, 2}, []int32{3, 4, 5}},
			{"four tokens count as three", []int32{4, 9, 1, 2, 3, 4, 5, 9, 1, 2, 6, 6, 6, 4, 9, 1, 2}, []int32{6, 6, 6}},
			{"the last match", []int32{1, 2, 3, 3, 3, 1, 2, 4, 5, 6, 1, 2}, []int32{4, 5, 6}},
			{"a repeated pair", []int32{5, 1, 2, 1, 2}, []int32{1, 2, 1}},
			{"a repeated token", []int32{5, 4, 4, 4}, []int32{4, 4, 4}},
			{"a short text", []int32{4, 4}, []int32{4, 4, 4}},
			{"one token in all", []int32{4}, lookahead},
			{"no text", nil, lookahead},
			{"no match in the lookahead", []int32{13, 11, 5}, lookahead},
		} {
			if got := draft(c.text, lookahead); !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: %v, want %v", d.Platform(), c.name, got, c.want)
			}
		}
	}
}

// randomWeights returns random weights for a network.
func randomWeights(c config.Config) *device.TensorSet {
	random, weights := rand.New(rand.NewPCG(1, 2)), &device.TensorSet{}
	for _, spec := range c.Tensors() {
		values := make([]float32, spec.Elements())
		for i := range values {
			values[i] = float32(random.NormFloat64()) * 0.3
		}
		weights.Add(spec.Name, tensors.FromFlatDataAndDimensions(values, spec.Dims...))
	}
	return weights
}

// generateInSlots generates rows with the given number of slots, one row in each of the first, and returns the
// number of steps.
func generateInSlots(t *testing.T, slots int, g *deviceGenerator, prompts [][]int32,
	o GenerateOptions) (texts []Completion, steps int) {
	t.Helper()
	r := &request{options: o, prompts: prompts, completions: make([]Completion, len(prompts))}
	w := &worker{deviceGenerator: g, request: r, slots: make([]*slot, slots)}
	defer func() { finalize(w.cache) }()
	for row := range prompts {
		if err := w.beginRow(row, row); err != nil {
			t.Fatal(err)
		}
	}
	for slices.ContainsFunc(w.slots, func(s *slot) bool { return s != nil }) {
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
		steps += w.lastSteps
	}
	return w.completions, steps
}

// Right or wrong, drafts change neither tokens nor the ends of rows, and they save steps in a text that repeats itself.
func TestDraftsSaveSteps(t *testing.T) {
	c := config.Config{VocabSize: 31, HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 8, RMSNormEps: 1e-5, RopeTheta: 1e4, MaxPositionEmbeddings: 1024}
	prompts := [][]int32{{1, 2, 3, 4, 1, 2, 3}, {5, 6, 7, 8, 1}}
	for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
		steps := func(c config.Config, o GenerateOptions) (texts []Completion, few, many int) {
			g := NewGenerator(d, c, randomWeights(c), nil, dtypes.Float32)
			defer g.Close()
			texts, few = generateInSlots(t, 2, g.devices[0], prompts, o)
			plain, many := generateInSlots(t, 4, g.devices[0], prompts, o) // which is too many for drafts
			if !reflect.DeepEqual(texts, plain) {
				t.Errorf("%s, %+v: %v with drafts, %v without", d.Platform(), o, texts, plain)
			}
			return texts, few, many
		}
		o := GenerateOptions{MaxTokens: 96}
		texts, few, many := steps(c, o)
		t.Logf("%s: %d steps with drafts, %d without", d.Platform(), few, many)
		if many != o.MaxTokens-1 || few > many*2/3 {
			t.Errorf("%s: %d steps with drafts, %d without", d.Platform(), few, many)
		}
		for i, end := range []int{30, 60, 61, 62, 63} { // some of these are within a draft
			c, o := c, o
			switch i % 3 {
			case 0:
				o.MaxTokens = end
			case 1:
				c.MaxPositionEmbeddings = len(prompts[0]) + end
			case 2:
				c.EOSTokenIDs = []int32{texts[1].IDs[end]}
			}
			steps(c, o)
		}
	}
}

// Logits that are not finite give -1, which ends the row with an error.
func TestArgMax(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	rows := [][]float32{{1, 3, 2, 0}, {-5, -2, -9, -2}, {-inf, 4, -inf, 4}, {0, 0, 0, 0}, {1, nan, 5, 2},
		{nan, nan, nan, nan}, {1, inf, 2, 3}, {-inf, -inf, -inf, -inf}, {7, 1, 2, nan}}
	want := []int32{1, 1, 1, 0, -1, -1, -1, -1, -1}
	for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
		p := device.NewProgram(d, "largest", func(in [][]*Node) [][]*Node { return [][]*Node{{argMax(in[0][0])}} })
		defer p.Close()
		out, err := p.Call([]*tensors.Tensor{tensors.FromValue(rows)})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if got, err := tensors.CopyFlatData[int32](out[0][0]); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", d.Platform(), got, err, want)
		}
	}
}

// Weights that have diverged are an error that names the row. Here they diverge when the first generated token is
// looked up.
func TestGenerateDiverged(t *testing.T) {
	c := wideConfig()
	for _, temperature := range []float64{0, 1} {
		o, prompts, weights := GenerateOptions{MaxTokens: 1, Temperature: temperature}, [][]int32{{1, 2}}, randomWeights(c)
		g := NewGenerator(graphtest.Device(t), c, weights, nil, dtypes.Float32)
		defer g.Close()
		texts, err := g.Generate(context.Background(), prompts, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		i := weights.Index(config.EmbedTokens)
		rows, err := tensors.CopyFlatData[float32](weights.Values[i])
		if err != nil {
			t.Fatal(err)
		}
		rows[int(texts[0].IDs[0])*c.HiddenSize] = float32(math.NaN())
		weights.Values[i] = tensors.FromFlatDataAndDimensions(rows, c.VocabSize, c.HiddenSize)
		o.MaxTokens = 9
		texts, err = g.Generate(context.Background(), prompts, o, nil)
		if err == nil || !strings.Contains(err.Error(), "row 0: ") ||
			!strings.Contains(err.Error(), "the weights are not finite, or have diverged") {
			t.Errorf("temperature %g: error %v", temperature, err)
		}
		if len(texts[0].IDs) != 1 {
			t.Errorf("temperature %g: tokens %v, want the one before the weights diverged", temperature, texts[0].IDs)
		}
	}
}

// Drafts save steps in the recorded answers of a real model.
func TestDraftsOfChats(t *testing.T) {
	var golden struct {
		Chats []struct {
			Prompt []int32 `json:"prompt_ids"`
			Greedy []int32 `json:"greedy_ids"`
		}
	}
	fixture.Read(t, &golden, "smollm2.json")
	draft := drafter(t, graphtest.Device(t))
	tokens, steps := 0, 0
	for _, doc := range golden.Chats {
		text, rest := append(doc.Prompt, doc.Greedy[0]), doc.Greedy[1:] // the first comes with the prompt
		tokens += len(rest)
		for ; len(rest) > 0; steps++ {
			right := 0
			for d := draft(text, nil); right < min(len(d), len(rest)-1) && d[right] == rest[right]; right++ {
			}
			text, rest = append(text, rest[:right+1]...), rest[right+1:]
		}
	}
	t.Logf("%.2f tokens a step in %d chats", float64(tokens)/float64(steps), len(golden.Chats))
	if len(golden.Chats) == 0 || steps >= tokens {
		t.Errorf("%d steps for %d tokens", steps, tokens)
	}
}
