package mistral

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// task is one call of Generate, which the devices share.
type request struct {
	options GenerateOptions
	prompts [][]int32

	mu          sync.Mutex
	onToken     func(row int, id int32)
	waiting     []int // rows that have not begun
	completions []Completion
}

// next is the row to begin next.
func (t *request) nextRow() (row int, ok bool) {
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
type worker struct {
	*deviceGenerator
	*request
	masters []*tensors.Tensor

	slots   []*slot // nil = free
	columns int     // columns of the cache
	cache   []*tensors.Tensor

	lastSteps    int           // of the last greedy run
	lastDuration time.Duration // by it
}

// slot is a row that is being generated.
type slot struct {
	row       int
	sampler   *sampler
	text      []int32 // the prompt and what was drawn; the network has not seen the last token yet
	lookahead []int32 // what it has said of the places behind text, see draft
}

// likelyTokens is the length of text that a new cache has room for.
const initialColumns = 256

func shapesOf(values []*tensors.Tensor) []shapes.Shape {
	all := make([]shapes.Shape, len(values))
	for i, t := range values {
		all[i] = t.Shape()
	}
	return all
}

// likely is how many columns a prompt and its answer are likely to take.
func (b *worker) likelyColumns(prompt int) int {
	return max(paddedLength(prompt), prompt+min(b.options.MaxTokens, initialColumns)+b.draftLength())
}

// cacheLength is the length of a cache for so many columns.
func cacheLength(columns int) int { return powerOfTwo(columns, 128) }

// reserve makes the cache hold at least the given number of columns.
func (b *worker) reserve(columns int) error {
	if columns <= b.columns {
		return nil
	}
	columns = cacheLength(columns)
	in := []*tensors.Tensor{tensors.FromValue(make([]int32, len(b.slots))), tensors.FromValue(make([]int32, columns))}
	defer finalize(in)
	out, err := b.grow.Call(in, b.cache)
	if err != nil {
		return err
	}
	b.cache, b.columns = out[0], columns
	return nil
}

// drafted is the length of the drafts of greedy rows.
func (b *worker) draftLength() int {
	if b.options.Temperature > 0 {
		return 0
	}
	return draftLength(len(b.slots))
}

// each lets go on what has a row, and frees the slots of those that say that theirs has ended.
func (b *worker) updateRows(goOn func(i int, s *slot) (live bool, err error)) error {
	for i, s := range b.slots {
		if s == nil {
			continue
		}
		live, err := goOn(i, s)
		if err != nil {
			return fmt.Errorf("row %d: %w", s.row, err)
		}
		if !live {
			b.slots[i] = nil
		}
	}
	return nil
}

// draw takes the token for the logits.
func (b *worker) sampleToken(s *slot, logits []float32) (live bool, err error) {
	id, err := s.sampler.next(logits)
	if err != nil {
		return false, err
	}
	return b.appendToken(s, id)
}

// take is told a row's next token and says whether the row goes on.
func (b *worker) appendToken(s *slot, id int32) (live bool, err error) {
	if id < 0 {
		return false, errors.New("the logits are no numbers: the weights have diverged")
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
func withLogits(logits []*tensors.Tensor, use func(logits []float32) error) error {
	defer finalize(logits)
	var used error
	if err := tensors.ConstFlatData(logits[0], func(flat []float32) { used = use(flat) }); err != nil {
		return err
	}
	return used
}
