package mistral_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// smallConfig is a network that generates varied text with seededWeights.
func smallConfig() config.Config {
	return config.Config{VocabSize: 97, HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4,
		NumKeyValueHeads: 2, HeadDim: 8, RMSNormEps: 1e-5, RopeTheta: 1e4, MaxPositionEmbeddings: 1024}
}

// seededWeights returns random weights, the same ones for the same seed.
func seededWeights(c config.Config, seed uint64) *device.TensorSet {
	random := rand.New(rand.NewPCG(seed, 0))
	set := &device.TensorSet{}
	for _, spec := range c.Tensors() {
		values := make([]float32, spec.Elements())
		for i := range values {
			values[i] = float32(random.NormFloat64()) * 0.4
			if len(spec.Dims) == 1 {
				values[i] = 1 + values[i]/4
			}
		}
		set.Add(spec.Name, tensors.FromFlatDataAndDimensions(values, spec.Dims...))
	}
	return set
}

// raggedPrompts returns n prompts with the lengths 1, 40, 7, 23 and 2, repeated.
func raggedPrompts(c config.Config, n int) [][]int32 {
	prompts := make([][]int32, n)
	for row := range prompts {
		prompt := make([]int32, []int{1, 40, 7, 23, 2}[row%5])
		for i := range prompt {
			prompt[i] = int32((row*31 + i*i*7 + 5) % c.VocabSize)
		}
		prompts[row] = prompt
	}
	return prompts
}

// generate continues prompts and fails the test on an error.
func generate(t *testing.T, g *mistral.Generator, prompts [][]int32, o mistral.GenerateOptions) []mistral.Completion {
	t.Helper()
	completions, err := g.Generate(context.Background(), prompts, o, nil)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return completions
}

// checkGreedy checks that every generated token is the most probable one at its position, by running the network
// over the whole texts without a cache.
func checkGreedy(t *testing.T, d *device.Device, c config.Config, weights *device.TensorSet, prompts [][]int32,
	completions []mistral.Completion) {
	t.Helper()
	length := 0
	for i, prompt := range prompts {
		length = max(length, len(prompt)+len(completions[i].IDs))
	}
	var tokens, positions, segments []int32
	for i, prompt := range prompts {
		text := slices.Concat(prompt, completions[i].IDs)
		for position := range length {
			segment, id := int32(0), int32(0) // padding
			if position < len(text) {
				segment, id = 4, text[position]
			}
			tokens, positions = append(tokens, id), append(positions, int32(position))
			segments = append(segments, segment)
		}
	}
	var in []*tensors.Tensor
	for _, values := range [][]int32{tokens, positions, segments} {
		in = append(in, tensors.FromFlatDataAndDimensions(values, len(prompts), length))
	}
	all := floats(t, run(t, d, logits(c, weights.Names), weights.Values, in)[0][0])
	for row, prompt := range prompts {
		for i, id := range completions[row].IDs {
			logits := all[(row*length+len(prompt)+i-1)*c.VocabSize:][:c.VocabSize]
			if best := slices.Index(logits, slices.Max(logits)); int(id) != best {
				t.Fatalf("row %d: token %d of the text is %d, want %d", row, i, id, best)
			}
		}
	}
}

// Generation with a cache gives the text of the network without one, for prompts of all lengths and on both backends.
func TestGenerateEqualsForward(t *testing.T) {
	tied, windowed := smallConfig(), smallConfig()
	tied.TieWordEmbeddings, tied.RopeScaling = true, config.RopeScaling{Type: "linear", Factor: 2}
	windowed.SlidingWindow = 5
	for name, c := range map[string]config.Config{"plain": smallConfig(), "tied": tied, "window": windowed} {
		for _, d := range []*device.Device{graphtest.Device(t), graphtest.GoDevice(t)} {
			t.Run(name+" on "+d.Platform(), func(t *testing.T) {
				weights, prompts := seededWeights(c, 1), raggedPrompts(c, 5)
				g := mistral.NewGenerator(d, c, weights, nil, dtypes.Float32)
				defer g.Close()
				completions := generate(t, g, prompts, mistral.GenerateOptions{MaxTokens: 20})
				checkGreedy(t, d, c, weights, prompts, completions)
				different := map[int32]bool{}
				for row, completion := range completions {
					if len(completion.IDs) != 20 || completion.Stop != mistral.StopLength {
						t.Errorf("row %d: %d tokens, stopped by %q", row, len(completion.IDs), completion.Stop)
					}
					for _, id := range completion.IDs {
						different[id] = true
					}
				}
				if len(different) < 10 {
					t.Errorf("the texts have only %d different tokens, too few for this test", len(different))
				}
			})
		}
	}
}

// A text that is longer than a new cache makes the cache grow.
func TestGenerateGrowsCache(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	weights, prompts := seededWeights(c, 2), raggedPrompts(c, 2)
	g := mistral.NewGenerator(d, c, weights, nil, dtypes.Float32)
	defer g.Close()
	checkGreedy(t, d, c, weights, prompts, generate(t, g, prompts, mistral.GenerateOptions{MaxTokens: 600}))
}

// A row's text depends on its number and its prompt, not on its batch: alone, with a few others, and when rows wait
// for free slots.
func TestGenerateBatchInvariance(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	c.EOSTokenIDs = []int32{3, 8, 11} // so that rows end at different times
	g := mistral.NewGenerator(d, c, seededWeights(c, 3), nil, dtypes.Float32)
	defer g.Close()
	const n = 21
	prompts := raggedPrompts(c, n)
	for name, o := range map[string]mistral.GenerateOptions{
		"greedy":  {MaxTokens: 24},
		"sampled": {MaxTokens: 24, Temperature: 0.9, TopP: 0.9, Seed: 7},
	} {
		together, ends := generate(t, g, prompts, o), map[string]int{}
		for _, completion := range together {
			ends[completion.Stop]++
		}
		if ends[mistral.StopEOS] < 3 || ends[mistral.StopLength] < 3 {
			t.Errorf("%s: rows ended %v, with too few of one kind for this test", name, ends)
		}
		// All rows before the last are replaced by short ones that end at once, so that the last keeps its number.
		for last := range n {
			rows := make([][]int32, last+1)
			for row := range rows {
				rows[row] = []int32{1}
			}
			rows[last] = prompts[last]
			o.Stop = func(row int, _ []int32) bool { return row != last }
			if alone := generate(t, g, rows, o)[last]; !slices.Equal(alone.IDs, together[last].IDs) {
				t.Errorf("%s: row %d: %v alone, %v among others", name, last, alone.IDs, together[last].IDs)
			}
		}
	}
}

func TestGenerateStops(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	weights, prompt := seededWeights(c, 1), raggedPrompts(c, 4)[3:]
	run := func(change func(c *config.Config, o *mistral.GenerateOptions)) mistral.Completion {
		c, o := c, mistral.GenerateOptions{MaxTokens: 12}
		change(&c, &o)
		g := mistral.NewGenerator(d, c, weights, nil, dtypes.Float32)
		defer g.Close()
		var streamed []int32
		onToken := func(_ int, id int32) { streamed = append(streamed, id) }
		completions, err := g.Generate(context.Background(), prompt, o, onToken)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if !slices.Equal(streamed, completions[0].IDs) {
			t.Errorf("streamed %v, returned %v", streamed, completions[0].IDs)
		}
		return completions[0]
	}
	text := run(func(*config.Config, *mistral.GenerateOptions) {}).IDs
	last := text[5]
	until := slices.Index(text, last) + 1
	for _, c := range []struct {
		name   string
		change func(c *config.Config, o *mistral.GenerateOptions)
		tokens int
		stop   string
	}{
		{"end token", func(c *config.Config, _ *mistral.GenerateOptions) {
			c.EOSTokenIDs = []int32{last}
		}, until, "eos"},
		{"one of two end tokens", func(c *config.Config, _ *mistral.GenerateOptions) {
			c.EOSTokenIDs = []int32{96, last}
		}, until, "eos"},
		{"first token ends", func(c *config.Config, _ *mistral.GenerateOptions) {
			c.EOSTokenIDs = text[:1]
		}, 1, "eos"},
		{"caller", func(_ *config.Config, o *mistral.GenerateOptions) {
			o.Stop = func(row int, ids []int32) bool { return row == 0 && len(ids) == 3 }
		}, 3, "stop"},
		{"length", func(_ *config.Config, o *mistral.GenerateOptions) { o.MaxTokens = 1 }, 1, "length"},
		{"positions", func(c *config.Config, _ *mistral.GenerateOptions) {
			c.MaxPositionEmbeddings = len(prompt[0]) + 4
		}, 4, "length"},
		{"last position", func(c *config.Config, _ *mistral.GenerateOptions) {
			c.MaxPositionEmbeddings = len(prompt[0]) + 1
		}, 1, "length"},
	} {
		if got := run(c.change); got.Stop != c.stop || !slices.Equal(got.IDs, text[:c.tokens]) {
			t.Errorf("%s: %v, stopped by %q, want %v, %q", c.name, got.IDs, got.Stop, text[:c.tokens], c.stop)
		}
	}
}

func TestGenerateErrors(t *testing.T) {
	c := smallConfig()
	g := mistral.NewGenerator(graphtest.Device(t), c, seededWeights(c, 1), nil, dtypes.Float32)
	defer g.Close()
	good := []int32{1, 2}
	for _, e := range []struct {
		prompts [][]int32
		o       mistral.GenerateOptions
		want    string
	}{
		{[][]int32{good, {}}, mistral.GenerateOptions{MaxTokens: 1}, "row 1: the prompt is empty"},
		{[][]int32{good, good, {5, 97}}, mistral.GenerateOptions{MaxTokens: 1}, "row 2: token 97 at position 1"},
		{[][]int32{{-1}}, mistral.GenerateOptions{MaxTokens: 1}, "generate: token -1 at position 0"},
		{[][]int32{make([]int32, 1024)}, mistral.GenerateOptions{MaxTokens: 1},
			"generate: the prompt has 1024 tokens and the model 1024 positions"},
		{[][]int32{good}, mistral.GenerateOptions{}, "at most 0 tokens"},
		{[][]int32{good}, mistral.GenerateOptions{MaxTokens: 1, Temperature: -1}, "temperature -1"},
		{[][]int32{good}, mistral.GenerateOptions{MaxTokens: 1, TopP: 1.5}, "top-p 1.5"},
	} {
		_, err := g.Generate(context.Background(), e.prompts, e.o, nil)
		if err == nil || !strings.Contains(err.Error(), e.want) {
			t.Errorf("error %v, want one with %q", err, e.want)
		}
	}
	if got := generate(t, g, nil, mistral.GenerateOptions{MaxTokens: 1}); len(got) != 0 {
		t.Errorf("no prompts gave %v", got)
	}
}

// If Generate is interrupted, it returns the tokens so far.
func TestGenerateInterrupted(t *testing.T) {
	c := smallConfig()
	g := mistral.NewGenerator(graphtest.Device(t), c, seededWeights(c, 1), nil, dtypes.Float32)
	defer g.Close()
	ctx, cancel := context.WithCancel(context.Background())
	tokens := 0
	o := mistral.GenerateOptions{MaxTokens: 900}
	completions, err := g.Generate(ctx, raggedPrompts(c, 2), o, func(int, int32) {
		if tokens++; tokens == 9 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want %v", err, context.Canceled)
	}
	const rest = 2 * 64 * 4 // the most tokens of a run: rows times steps times tokens of a step
	a, b := completions[0], completions[1]
	if len(a.IDs)+len(b.IDs) != tokens || tokens < 9 || tokens > 9+rest || a.Stop != "" || b.Stop != "" {
		t.Errorf("%d and %d tokens, stopped by %q and %q", len(a.IDs), len(b.IDs), a.Stop, b.Stop)
	}
}

// Masters replace base weights, with their values at the time of each call. In bfloat16 they are rounded like base
// weights.
func TestGenerateMasters(t *testing.T) {
	c, d := smallConfig(), graphtest.Device(t)
	prompts, o := raggedPrompts(c, 3), mistral.GenerateOptions{MaxTokens: 12}
	names, err := mistral.Trainable(c, []string{"down_proj", "norm"})
	if err != nil {
		t.Fatal(err)
	}
	trained := func(seed uint64) *device.TensorSet {
		all, some := seededWeights(c, seed), &device.TensorSet{}
		for _, name := range names {
			value, _ := all.Get(name)
			some.Add(name, value)
		}
		return some
	}
	for _, dtype := range []dtypes.DType{dtypes.Float32, dtypes.BFloat16} {
		masters, merged := trained(5), seededWeights(c, 1)
		policy := mistral.NewGenerator(d, c, seededWeights(c, 1), masters, dtype)
		defer policy.Close()
		plain := mistral.NewGenerator(d, c, merged, nil, dtype)
		defer plain.Close()
		untrained := generate(t, plain, prompts, o)
		for seed := range uint64(2) {
			masters.Values = trained(5 + seed).Values
			for i, name := range names {
				merged.Values[merged.Index(name)] = masters.Values[i]
			}
			got := fmt.Sprint(generate(t, policy, prompts, o))
			want := fmt.Sprint(generate(t, plain, prompts, o))
			if got != want || got == fmt.Sprint(untrained) {
				t.Errorf("%s, seed %d: %v, want %v", dtype, seed, got, want)
			}
		}
	}
}
