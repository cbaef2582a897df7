package mistral

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// task is one call of Generate, which the devices share.
type task struct {
	options GenerateOptions
	prompts [][]int32

	mu          sync.Mutex
	onToken     func(row int, id int32)
	waiting     []int // rows that have not begun
	completions []Completion
}

// next is the row to begin next.
func (t *task) next() (row int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		return 0, false
	}
	row, t.waiting = t.waiting[0], t.waiting[1:]
	return row, true
}

// generation is what one device does of a task. Its batch has a fixed number of slots; a slot whose row has ended takes the next prompt, so
// that long rows do not keep the others waiting and few shapes are compiled.
type generation struct {
	*generator
	*task
	trained []*tensors.Tensor

	slots  []*slot // nil = free
	length int     // columns of the cache
	cache  []*tensors.Tensor

	steps int           // of the last greedy run
	took  time.Duration // by it
}

// slot is a row that is being generated.
type slot struct {
	row     int
	sampler *sampler
	text    []int32 // the prompt and what was drawn; the network has not seen the last token yet
	behind  []int32 // what it has said of the places behind text, see draft
}

// likelyTokens is the length of text that a new cache has room for.
const likelyTokens = 256

// all generates until no row is left.
func (b *generation) all(ctx context.Context) error {
	trained, release, err := b.trainedIn()
	if err != nil {
		return err
	}
	defer release()
	b.trained = trained
	b.ahead()
	defer func() { finalize(b.cache) }()
	return b.run(ctx)
}

func (b *generation) run(ctx context.Context) error {
	for {
		for i := range b.slots {
			for b.slots[i] == nil {
				if err := ctx.Err(); err != nil {
					return err
				}
				row, ok := b.next()
				if !ok {
					break
				}
				if err := b.begin(i, row); err != nil {
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
func (b *generation) begin(place, row int) error {
	prompt := b.prompts[row]
	tokens := make([]int32, paddedLength(len(prompt)))
	copy(tokens, prompt)
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, 1, len(tokens)), tensors.FromScalar(int32(len(prompt)))}
	defer finalize(in)
	out, err := b.prefill.Call(b.weights(), b.trained, in)
	if err != nil {
		return err
	}
	defer finalize(out[1])
	s, live := &slot{row: row, sampler: newSampler(b.options, row), text: slices.Clone(prompt)}, false
	s.behind = slices.Repeat(prompt[len(prompt)-1:], b.drafted()) // it has said nothing yet
	if err := read(out[0], func(logits []float32) (err error) {
		live, err = b.draw(s, logits)
		return err
	}); err != nil || !live {
		return err
	}
	if err := b.reserve(b.likely(len(prompt))); err != nil {
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
func (b *generation) ahead() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 || b.options.MaxTokens == 1 {
		return
	}
	longest := b.prompts[b.waiting[min(len(b.slots), len(b.waiting))-1]] // of those that the first step has: they come in the order of their lengths
	cache := cacheShapes(b.config, b.dtype, len(b.slots), cacheLength(b.likely(len(longest))))
	program, rows := b.decode, len(b.slots)
	in := []shapes.Shape{shapes.Make(dtypes.Int32, rows, 1), shapes.Make(dtypes.Int32, rows)}
	if b.options.Temperature == 0 {
		text, each := cache[0].Dim(2), in[1]
		program, in = b.greedy, []shapes.Shape{shapes.Make(dtypes.Int32, rows, text), each, each, shapes.Make(dtypes.Int32)}
	}
	weights, trained := shapesOf(b.weights()), shapesOf(b.trained)          // now: the trained ones may be gone before the goroutines begin
	b.preparing.Go(func() { program.Compile(weights, trained, in, cache) }) // its error comes with the first step
}

func shapesOf(values []*tensors.Tensor) []shapes.Shape {
	all := make([]shapes.Shape, len(values))
	for i, t := range values {
		all[i] = t.Shape()
	}
	return all
}

// likely is how many columns a prompt and its answer are likely to take.
func (b *generation) likely(prompt int) int {
	return max(paddedLength(prompt), prompt+min(b.options.MaxTokens, likelyTokens)+b.drafted())
}

// cacheLength is the length of a cache for so many columns.
func cacheLength(columns int) int { return powerOfTwo(columns, 128) }

// reserve makes the cache hold at least the given number of columns.
func (b *generation) reserve(columns int) error {
	if columns <= b.length {
		return nil
	}
	columns = cacheLength(columns)
	in := []*tensors.Tensor{tensors.FromValue(make([]int32, len(b.slots))), tensors.FromValue(make([]int32, columns))}
	defer finalize(in)
	out, err := b.grow.Call(in, b.cache)
	if err != nil {
		return err
	}
	b.cache, b.length = out[0], columns
	return nil
}
