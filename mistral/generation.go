package mistral

import (
	"context"
	"fmt"
	"slices"
	"sync"

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
}

// slot is a row that is being generated.
type slot struct {
	row     int
	sampler *sampler
	text    []int32 // the prompt and what was drawn; the network has not seen the last token yet
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
	if err := read(out[0], func(logits []float32) (err error) {
		live, err = b.take(s, logits)
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
	lengths := []int{1}
	if b.drafting() {
		lengths = append(lengths, 1+draftTokens)
	}
	weights, trained := shapesOf(b.weights()), shapesOf(b.trained) // now: the trained ones may be gone before the goroutines begin
	for _, n := range lengths {
		in := []shapes.Shape{shapes.Make(dtypes.Int32, len(b.slots), n), shapes.Make(dtypes.Int32, len(b.slots))}
		b.preparing.Go(func() { b.decode.Compile(weights, trained, in, cache) }) // its error comes with the first step
	}
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
	return max(paddedLength(prompt), prompt+min(b.options.MaxTokens, likelyTokens))
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

// step runs the network over the last token of every row, and over what is likely to follow, and draws the next ones.
func (b *generation) step() error {
	drafts, n := b.drafts()
	tokens, positions := make([]int32, len(b.slots)*n), make([]int32, len(b.slots))
	for i, s := range b.slots {
		if s == nil {
			continue // computed at position 0, and looked at by nobody
		}
		positions[i] = int32(len(s.text) - 1)
		copy(tokens[i*n:], append([]int32{s.text[positions[i]]}, drafts[i]...))
		if err := b.reserve(int(positions[i]) + n); err != nil {
			return err
		}
	}
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, len(b.slots), n), tensors.FromValue(positions)}
	defer finalize(in)
	out, err := b.decode.Call(b.weights(), b.trained, in, b.cache)
	if err != nil {
		return err
	}
	b.cache = out[1]
	return read(out[0], func(logits []float32) error { return b.followAll(logits, drafts) })
}

// followAll draws the next tokens of all rows from as many logits for each.
func (b *generation) followAll(logits []float32, drafts [][]int32) error {
	each := len(logits) / len(b.slots)
	for i, s := range b.slots {
		if s == nil {
			continue
		}
		live, err := b.follow(s, logits[i*each:(i+1)*each], drafts[i])
		if err != nil {
			return fmt.Errorf("row %d: %w", s.row, err)
		}
		if !live {
			b.slots[i] = nil
		}
	}
	return nil
}

// follow draws a row's next token, and the one behind it as long as its draft has said the same.
func (b *generation) follow(s *slot, logits []float32, draft []int32) (live bool, err error) {
	for v := b.config.VocabSize; ; logits, draft = logits[v:], draft[1:] {
		live, err = b.take(s, logits[:v])
		if err != nil || !live || len(draft) == 0 || draft[0] != s.text[len(s.text)-1] {
			return live, err
		}
	}
}

// take draws a row's next token and says whether the row goes on.
func (b *generation) take(s *slot, logits []float32) (live bool, err error) {
	id, err := s.sampler.next(logits)
	if err != nil {
		return false, err
	}
	s.text = append(s.text, id)
	b.mu.Lock() // what the caller is asked, it is asked by one device at a time
	defer b.mu.Unlock()
	c := &b.completions[s.row]
	c.IDs = append(c.IDs, id)
	if b.onToken != nil {
		b.onToken(s.row, id)
	}
	switch {
	case slices.Contains(b.config.EOSTokenIDs, id):
		c.Stop = StopEOS
	case b.options.Stop != nil && b.options.Stop(s.row, c.IDs):
		c.Stop = StopCaller
	case len(c.IDs) == b.options.MaxTokens || len(s.text) == b.config.MaxPositionEmbeddings:
		c.Stop = StopLength
	}
	return c.Stop == "", nil
}

// read lets use read logits, where the device has them if that is possible, and frees them.
func read(logits []*tensors.Tensor, use func(logits []float32) error) error {
	defer finalize(logits)
	var used error
	if err := tensors.ConstFlatData(logits[0], func(flat []float32) { used = use(flat) }); err != nil {
		return err
	}
	return used
}
