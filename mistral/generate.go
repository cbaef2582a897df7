package mistral

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/graph"
	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// maxRows is the largest number of rows that one device generates at the same time.
const maxRows = graph.MaxFusedTokens

// Generator continues prompts, many at a time, with a KV cache. It may be used by several goroutines at once.
type Generator struct{ devices []*deviceGenerator }

// NewGenerator returns a generator of the network with the given base weights and, for the policy, masters that
// replace base weights of the same names; masters may be nil. It computes in dtype. The caller keeps both sets.
// Every call of Generate reads them, so that the values of masters may change between calls, but not its names.
//
// If the weights are on a mesh, every device must have all of them. The devices then share the prompts.
func NewGenerator(d *device.Device, c config.Config, base, masters *device.TensorSet, dtype dtypes.DType) *Generator {
	g := &Generator{}
	for _, n := range (network{config: c, base: base, masters: masters, dtype: dtype}).perDevice() {
		g.devices = append(g.devices, newGenerator(d.At(n.deviceNumber), n))
	}
	return g
}

// Close frees the compiled programs. The weights stay.
func (g *Generator) Close() {
	for _, own := range g.devices {
		own.close()
	}
}

// Generate continues every prompt and returns the completions in the same order. If onToken is not nil, it is
// called with each token soon after it was generated; greedy tokens arrive in groups, several times a second. A
// row's completion depends on its prompt, its number and the options, not on the other rows, except where the
// rounding of sums decides between two tokens of almost equal probability.
//
// A prompt that is empty, has a token outside the vocabulary or leaves no position for an answer is an error, which
// names its row if there are several. If ctx is cancelled or a device fails, the completions so far are returned with
// the error.
func (g *Generator) Generate(ctx context.Context, prompts [][]int32, o GenerateOptions,
	onToken func(row int, id int32)) ([]Completion, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	waiting := make([]int, len(prompts))
	for row, prompt := range prompts {
		waiting[row] = row
		if err := g.devices[0].checkPrompt(prompt); err != nil && len(prompts) == 1 {
			return nil, fmt.Errorf("generate: %w", err)
		} else if err != nil {
			return nil, fmt.Errorf("generate: row %d: %w", row, err)
		}
	}
	if len(prompts) == 0 {
		return nil, nil
	}
	// Long prompts come last, since from the first of them on the cache is that long for all rows.
	slices.SortStableFunc(waiting, func(a, b int) int { return cmp.Compare(len(prompts[a]), len(prompts[b])) })
	r := &request{options: o, onToken: onToken, prompts: prompts, waiting: waiting,
		completions: make([]Completion, len(prompts))}
	perDevice := (len(prompts) + len(g.devices) - 1) / len(g.devices)
	slots := powerOfTwo(min(perDevice, maxRows), 1)
	group, ctx := errgroup.WithContext(ctx)
	for i := range min(len(prompts), len(g.devices)) {
		group.Go(func() error {
			w := &worker{deviceGenerator: g.devices[i], request: r, slots: make([]*slot, slots)}
			return w.run(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return r.completions, fmt.Errorf("generate: %w", err)
	}
	return r.completions, nil
}

// run generates rows until none is left.
func (w *worker) run(ctx context.Context) error {
	masters, release, err := w.castMasters()
	if err != nil {
		return err
	}
	defer release()
	w.masters = masters
	w.compileAhead()
	defer func() { finalize(w.cache) }()
	for {
		if err := w.fillSlots(ctx); err != nil {
			return err
		}
		if !slices.ContainsFunc(w.slots, func(s *slot) bool { return s != nil }) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.step(); err != nil {
			return err
		}
	}
}

// fillSlots begins waiting rows until every slot has a row or no row is waiting.
func (w *worker) fillSlots(ctx context.Context) error {
	for i := range w.slots {
		for w.slots[i] == nil {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, ok := w.nextRow()
			if !ok {
				return nil
			}
			if err := w.beginRow(i, row); err != nil {
				return fmt.Errorf("row %d: %w", row, err)
			}
		}
	}
	return nil
}

// beginRow runs the prompt of a row through the network and generates the first token. Unless that token ends the
// row, beginRow puts the row into slot number i.
func (w *worker) beginRow(i, row int) error {
	prompt := w.prompts[row]
	padded := make([]int32, paddedLength(len(prompt)))
	copy(padded, prompt)
	length := tensors.FromScalar(int32(len(prompt)))
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(padded, 1, len(padded)), length}
	defer finalize(in)
	out, err := w.prefill.Call(w.baseValues(), w.masters, in)
	if err != nil {
		return err
	}
	defer finalize(out[1])
	s, live := &slot{row: row, sampler: newSampler(w.options, row), text: slices.Clone(prompt)}, false
	s.lookahead = slices.Repeat(prompt[len(prompt)-1:], w.draftLength()) // any token will do, as nothing is predicted yet
	if err := withLogits(out[0], func(logits []float32) (err error) {
		live, err = w.sampleToken(s, logits)
		return err
	}); err != nil || !live {
		return err
	}
	if err := w.reserve(w.expectedColumns(len(prompt))); err != nil {
		return err
	}
	index := []*tensors.Tensor{tensors.FromScalar(int32(i))}
	defer finalize(index)
	inserted, err := w.insert.Call(index, w.cache, out[1])
	if err != nil {
		return err
	}
	w.cache, w.slots[i] = inserted[0], s
	return nil
}

// compileAhead starts to compile the program of the steps, so that this runs while the first prompts are processed.
func (w *worker) compileAhead() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 || w.options.MaxTokens == 1 {
		return
	}
	// Rows wait in the order of their lengths, so this is the longest prompt of the first step.
	longest := w.prompts[w.waiting[min(len(w.slots), len(w.waiting))-1]]
	rows, columns := len(w.slots), cacheLength(w.expectedColumns(len(longest)))
	cache := cacheShapes(w.config, w.dtype, rows, columns)
	perRow := shapes.Make(dtypes.Int32, rows)
	program, in := w.decode, []shapes.Shape{shapes.Make(dtypes.Int32, rows, 1), perRow}
	if w.options.Temperature == 0 {
		program = w.greedy
		in = []shapes.Shape{shapes.Make(dtypes.Int32, rows, columns), perRow, perRow, shapes.Make(dtypes.Int32)}
	}
	// The shapes are taken now, because the masters may be freed before the goroutine begins. An error of the
	// compilation is reported by the first step.
	base, masters := shapesOf(w.baseValues()), shapesOf(w.masters)
	w.compiling.Go(func() { program.Compile(base, masters, in, cache) })
}

func shapesOf(values []*tensors.Tensor) []shapes.Shape {
	all := make([]shapes.Shape, len(values))
	for i, t := range values {
		all[i] = t.Shape()
	}
	return all
}
