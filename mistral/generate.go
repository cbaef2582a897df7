package mistral

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"
)

// GenerateOptions say how to continue prompts. Only MaxTokens must be set.
type GenerateOptions struct {
	MaxTokens   int     // tokens to generate at most for each row
	Temperature float64 // 0 = greedy
	TopP        float64 // mass of the nucleus; 0 or 1 = the whole vocabulary. Without meaning when greedy
	TopK        int     // how many of the most probable tokens to draw from; 0 = all. Without meaning when greedy
	Seed        int64   // of the random numbers, together with the row
	// Stop, if not nil, is asked after every token whether the row ends here. ids are the row's generated tokens so far; they must
	// not be kept or changed.
	Stop func(row int, ids []int32) bool
}

// Why a row ended.
const (
	StopEOS    = "eos"    // at one of Config.EOSTokenIDs
	StopCaller = "stop"   // by GenerateOptions.Stop
	StopLength = "length" // at MaxTokens, or where prompt and text fill Config.MaxPositionEmbeddings
)

// Completion is the continuation of one prompt.
type Completion struct {
	IDs  []int32 // the generated tokens, an end token included
	Stop string  // StopEOS, StopCaller or StopLength; empty when the row was interrupted
}

// Generator continues prompts, many at a time, with a cache of keys and values. It may be used by several goroutines at once.
type Generator struct{ devices []*generator }

// generator is what one device does of it.
type generator struct {
	network
	cast, prefill, grow, insert, greedy, decode *device.Program
	preparing                                   sync.WaitGroup // programs that are compiled ahead
}

// generatedRows are generated together at most.
const generatedRows = graph.DecoderRows

// NewGenerator returns a generator of the network with these base weights and, in front of them unless nil, overlay: the policy.
// It computes in dtype. Both sets stay the caller's; they are read at each call of Generate, so overlay may be trained on between
// calls, but keeps its names.
//
// Where the weights lie on a mesh, every device must have all of them; the devices then share the prompts.
func NewGenerator(d *device.Device, c config.Config, base, overlay *device.Tensors, dtype dtypes.DType) *Generator {
	g := &Generator{}
	for _, n := range (network{config: c, base: base, overlay: overlay, dtype: dtype}).onEach() {
		g.devices = append(g.devices, newGenerator(d.At(n.number), n))
	}
	return g
}

func newGenerator(d *device.Device, n network) *generator {
	c, dtype := n.config, n.dtype
	return &generator{
		network: n,
		cast: device.NewProgram(d, "cast", func(in [][]*Node) [][]*Node {
			return [][]*Node{castMatrices(in[0], dtype)}
		}),
		prefill: device.NewProgram(d, "prefill", func(in [][]*Node) [][]*Node {
			logits, cache := prefill(c, n.view(in[0], in[1]).WithoutGradient(), in[2][0], in[2][1])
			return [][]*Node{{logits}, cache}
		}),
		grow: device.NewProgram(d, "grow_cache", func(in [][]*Node) [][]*Node {
			rows, columns := in[0][0], in[0][1] // only their lengths count
			return [][]*Node{emptyCache(rows.Graph(), c, dtype, rows.Shape().Size(), columns.Shape().Size(), in[1])}
		}, 1),
		insert: device.NewProgram(d, "insert_row", func(in [][]*Node) [][]*Node {
			return [][]*Node{insert(in[0][0], in[1], in[2])}
		}, 1, 2),
		greedy: device.NewProgram(d, "greedy_run", n.greedyRun, 3),
		decode: device.NewProgram(d, "decode", func(in [][]*Node) [][]*Node {
			logits, cache := decode(c, n.view(in[0], in[1]).WithoutGradient(), in[2][0], in[2][1], in[3])
			return [][]*Node{{logits}, cache}
		}, 3),
	}
}

// Close frees the compiled programs. The weights stay.
func (g *Generator) Close() {
	for _, own := range g.devices {
		own.preparing.Wait()
		for _, p := range []*device.Program{own.cast, own.prefill, own.grow, own.insert, own.greedy, own.decode} {
			p.Close()
		}
	}
}

// Generate continues every prompt and returns the completions in the same order. onToken, if not nil, is called with each token as
// it comes, of greedy ones several times a second with those that have come. What a row becomes depends on its prompt, its number
// and the options, not on the other rows (but for the rounding of sums where two tokens are all but equally probable).
//
// An error names the row that is empty, has a token outside the vocabulary or leaves no position for an answer. When ctx ends,
// and on errors of the device, the completions so far come with the error.
func (g *Generator) Generate(ctx context.Context, prompts [][]int32, o GenerateOptions, onToken func(row int, id int32)) ([]Completion, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	waiting := make([]int, len(prompts))
	for row, prompt := range prompts {
		waiting[row] = row
		if err := g.devices[0].checkPrompt(prompt); err != nil {
			return nil, fmt.Errorf("generate: row %d: %w", row, err)
		}
	}
	if len(prompts) == 0 {
		return nil, nil
	}
	// Long prompts come last, because from the first of them on the cache is that long for all rows.
	slices.SortStableFunc(waiting, func(a, b int) int { return cmp.Compare(len(prompts[a]), len(prompts[b])) })
	task := &task{options: o, onToken: onToken, prompts: prompts, waiting: waiting, completions: make([]Completion, len(prompts))}
	each := (len(prompts) + len(g.devices) - 1) / len(g.devices)
	group, ctx := errgroup.WithContext(ctx)
	for i := range min(len(prompts), len(g.devices)) {
		group.Go(func() error {
			b := &generation{generator: g.devices[i], task: task, slots: make([]*slot, powerOfTwo(min(each, generatedRows), 1))}
			return b.all(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return task.completions, fmt.Errorf("generate: %w", err)
	}
	return task.completions, nil
}

func (o GenerateOptions) validate() error {
	switch {
	case o.MaxTokens < 1:
		return fmt.Errorf("generate: %d tokens at most: want 1 or more", o.MaxTokens)
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return fmt.Errorf("generate: temperature %g: want 0 (greedy) or a positive number", o.Temperature)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("generate: top-p %g: want a number from 0 to 1", o.TopP)
	case o.TopK < 0:
		return fmt.Errorf("generate: top-k %d: want 0 or more", o.TopK)
	}
	return nil
}

func (g *generator) checkPrompt(ids []int32) error {
	if len(ids) == 0 {
		return errors.New("the prompt is empty: there is nothing to continue (put the BOS token there)")
	}
	if limit := g.config.MaxPositionEmbeddings; len(ids) >= limit {
		return fmt.Errorf("the prompt has %d tokens and the model %d positions (max_position_embeddings): none is left for an answer", len(ids), limit)
	}
	return g.checkTokens(ids)
}

// trainedIn returns the overlay in the dtype of the computation, so that not every step must convert it, and how to release it.
func (g *generator) trainedIn() (trained []*tensors.Tensor, release func(), err error) {
	trained = g.trained()
	if !slices.ContainsFunc(trained, func(t *tensors.Tensor) bool { return t.Rank() > 1 && t.DType() != g.dtype }) {
		return trained, func() {}, nil
	}
	out, err := g.cast.Call(trained)
	if err != nil {
		return nil, nil, err
	}
	return out[0], func() { finalize(out[0]) }, nil
}

// castMatrices converts all but the vectors (the weights of norms) to dtype.
func castMatrices(weights []*Node, dtype dtypes.DType) []*Node {
	cast := slices.Clone(weights)
	for i, w := range cast {
		if w.Rank() > 1 {
			cast[i] = ConvertDType(w, dtype)
		}
	}
	return cast
}

// paddedLength returns what n tokens are padded to, so that few shapes are compiled: 64, 96, 128, 192, 256, ...
func paddedLength(n int) int {
	return roundedUp(n, 64)
}

// roundedUp returns the smallest of least, least*3/2, least*2, least*3, least*4, ... that is at least n.
func roundedUp(n, least int) int {
	p := powerOfTwo(n, least)
	if middle := p / 4 * 3; middle >= least && n <= middle {
		return middle
	}
	return p
}

// powerOfTwo returns the smallest power of two that is at least n and least.
func powerOfTwo(n, least int) int {
	p := least
	for p < n {
		p *= 2
	}
	return p
}

// finalize frees tensors now: the garbage collector does not see how much memory of the device they hold.
func finalize(values []*tensors.Tensor) {
	for _, t := range values {
		_ = t.FinalizeAll() // of a tensor that nobody uses any more
	}
}
