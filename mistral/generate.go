package mistral

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Why a row ended.
const (
	StopEOS    = "eos"    // at one of Config.EOSTokenIDs
	StopCaller = "stop"   // by GenerateOptions.Stop
	StopLength = "length" // at MaxTokens, or where prompt and text fill Config.MaxPositionEmbeddings
)

// Generator continues prompts, many at a time, with a cache of keys and values. It may be used by several goroutines at once.
type Generator struct{ devices []*deviceGenerator }

// NewGenerator returns a generator of the network with these base weights and, in front of them unless nil, overlay: the policy.
// It computes in dtype. Both sets stay the caller's; they are read at each call of Generate, so overlay may be trained on between
// calls, but keeps its names.
//
// Where the weights lie on a mesh, every device must have all of them; the devices then share the prompts.
func NewGenerator(d *device.Device, c config.Config, base, overlay *device.Tensors, dtype dtypes.DType) *Generator {
	g := &Generator{}
	for _, n := range (network{config: c, base: base, masters: overlay, dtype: dtype}).perDevice() {
		g.devices = append(g.devices, newGenerator(d.At(n.deviceNumber), n))
	}
	return g
}

// Close frees the compiled programs. The weights stay.
func (g *Generator) Close() {
	for _, own := range g.devices {
		own.compiling.Wait()
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
	task := &request{options: o, onToken: onToken, prompts: prompts, waiting: waiting, completions: make([]Completion, len(prompts))}
	each := (len(prompts) + len(g.devices) - 1) / len(g.devices)
	group, ctx := errgroup.WithContext(ctx)
	for i := range min(len(prompts), len(g.devices)) {
		group.Go(func() error {
			b := &worker{deviceGenerator: g.devices[i], request: task, slots: make([]*slot, powerOfTwo(min(each, maxRows), 1))}
			return b.run(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return task.completions, fmt.Errorf("generate: %w", err)
	}
	return task.completions, nil
}

// all generates until no row is left.
func (b *worker) run(ctx context.Context) error {
	trained, release, err := b.castMasters()
	if err != nil {
		return err
	}
	defer release()
	b.masters = trained
	b.compileAhead()
	defer func() { finalize(b.cache) }()
	return b.loop(ctx)
}

func (b *worker) loop(ctx context.Context) error {
	for {
		for i := range b.slots {
			for b.slots[i] == nil {
				if err := ctx.Err(); err != nil {
					return err
				}
				row, ok := b.nextRow()
				if !ok {
					break
				}
				if err := b.beginRow(i, row); err != nil {
					return fmt.Errorf("row %d: %w", row, err)
				}
			}
		}
		if !slices.ContainsFunc(b.slots, func(s *slot) bool { return s != nil }) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.step(); err != nil {
			return err
		}
	}
}

// begin reads the prompt of a row, draws its first token and, unless that ends it, puts it into a slot.
func (b *worker) beginRow(place, row int) error {
	prompt := b.prompts[row]
	tokens := make([]int32, paddedLength(len(prompt)))
	copy(tokens, prompt)
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, 1, len(tokens)), tensors.FromScalar(int32(len(prompt)))}
	defer finalize(in)
	out, err := b.prefill.Call(b.baseValues(), b.masters, in)
	if err != nil {
		return err
	}
	defer finalize(out[1])
	s, live := &slot{row: row, sampler: newSampler(b.options, row), text: slices.Clone(prompt)}, false
	s.lookahead = slices.Repeat(prompt[len(prompt)-1:], b.draftLength()) // it has said nothing yet
	if err := withLogits(out[0], func(logits []float32) (err error) {
		live, err = b.sampleToken(s, logits)
		return err
	}); err != nil || !live {
		return err
	}
	if err := b.reserve(b.likelyColumns(len(prompt))); err != nil {
		return err
	}
	at := []*tensors.Tensor{tensors.FromScalar(int32(place))}
	defer finalize(at)
	inserted, err := b.insert.Call(at, b.cache, out[1])
	if err != nil {
		return err
	}
	b.cache, b.slots[place] = inserted[0], s
	return nil
}

// ahead has the steps' programs compiled while the first prompt is read.
func (b *worker) compileAhead() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 || b.options.MaxTokens == 1 {
		return
	}
	longest := b.prompts[b.waiting[min(len(b.slots), len(b.waiting))-1]] // of those that the first step has: they come in the order of their lengths
	cache := cacheShapes(b.config, b.dtype, len(b.slots), cacheLength(b.likelyColumns(len(longest))))
	program, rows := b.decode, len(b.slots)
	in := []shapes.Shape{shapes.Make(dtypes.Int32, rows, 1), shapes.Make(dtypes.Int32, rows)}
	if b.options.Temperature == 0 {
		text, each := cache[0].Dim(2), in[1]
		program, in = b.greedy, []shapes.Shape{shapes.Make(dtypes.Int32, rows, text), each, each, shapes.Make(dtypes.Int32)}
	}
	weights, trained := shapesOf(b.baseValues()), shapesOf(b.masters)       // now: the trained ones may be gone before the goroutines begin
	b.compiling.Go(func() { program.Compile(weights, trained, in, cache) }) // its error comes with the first step
}
