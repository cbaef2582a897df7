package mistral

import (
	"context"
	"fmt"
	"slices"
	"sync"

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
	last    int32 // the token that the network has not seen yet
	place   int   // its position
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
	logits, err := download(out[0])
	if err != nil {
		return err
	}
	s := &slot{row: row, sampler: newSampler(b.options, row), place: len(prompt)}
	if live, err := b.take(s, logits); err != nil || !live {
		return err
	}
	if err := b.reserve(max(len(tokens), len(prompt)+min(b.options.MaxTokens, likelyTokens))); err != nil {
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

// reserve makes the cache hold at least the given number of columns.
func (b *generation) reserve(columns int) error {
	if columns <= b.length {
		return nil
	}
	columns = powerOfTwo(columns, 128)
	in := []*tensors.Tensor{tensors.FromValue(make([]int32, len(b.slots))), tensors.FromValue(make([]int32, columns))}
	defer finalize(in)
	out, err := b.grow.Call(in, b.cache)
	if err != nil {
		return err
	}
	b.cache, b.length = out[0], columns
	return nil
}

// step runs the network over the last token of every row and draws the next one.
func (b *generation) step() error {
	tokens, positions := make([]int32, len(b.slots)), make([]int32, len(b.slots))
	for i, s := range b.slots {
		if s == nil {
			continue // computed at position 0, and looked at by nobody
		}
		tokens[i], positions[i] = s.last, int32(s.place)
		if err := b.reserve(s.place + 1); err != nil {
			return err
		}
	}
	in := []*tensors.Tensor{tensors.FromValue(tokens), tensors.FromValue(positions)}
	defer finalize(in)
	out, err := b.decode.Call(b.weights(), b.trained, in, b.cache)
	if err != nil {
		return err
	}
	b.cache = out[1]
	logits, err := download(out[0])
	if err != nil {
		return err
	}
	v := b.config.VocabSize
	for i, s := range b.slots {
		if s == nil {
			continue
		}
		s.place++
		live, err := b.take(s, logits[i*v:(i+1)*v])
		if err != nil {
			return fmt.Errorf("row %d: %w", s.row, err)
		}
		if !live {
			b.slots[i] = nil
		}
	}
	return nil
}

// take draws a row's next token, which will stand at s.place, and says whether the row goes on.
func (b *generation) take(s *slot, logits []float32) (live bool, err error) {
	s.last, err = s.sampler.next(logits)
	if err != nil {
		return false, err
	}
	b.mu.Lock() // what the caller is asked, it is asked by one device at a time
	defer b.mu.Unlock()
	c := &b.completions[s.row]
	c.IDs = append(c.IDs, s.last)
	if b.onToken != nil {
		b.onToken(s.row, s.last)
	}
	switch {
	case slices.Contains(b.config.EOSTokenIDs, s.last):
		c.Stop = StopEOS
	case b.options.Stop != nil && b.options.Stop(s.row, c.IDs):
		c.Stop = StopCaller
	case len(c.IDs) == b.options.MaxTokens || s.place+1 == b.config.MaxPositionEmbeddings:
		c.Stop = StopLength
	}
	return c.Stop == "", nil
}

// download returns the logits and frees their tensor.
func download(logits []*tensors.Tensor) ([]float32, error) {
	defer finalize(logits)
	return tensors.CopyFlatData[float32](logits[0])
}
