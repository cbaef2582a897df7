package mistral

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// request is one call of Generate. The devices share its rows.
type request struct {
	options GenerateOptions
	prompts [][]int32

	mu          sync.Mutex // guards the fields below, and calls of the caller's functions
	onToken     func(row int, id int32)
	waiting     []int // rows that have not begun
	completions []Completion
}

// nextRow removes the next row from the waiting ones. ok is false if none is waiting.
func (r *request) nextRow() (row int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) == 0 {
		return 0, false
	}
	row, r.waiting = r.waiting[0], r.waiting[1:]
	return row, true
}

// worker generates a device's rows of a request. It has a fixed number of slots, and the slot of a row that has
// ended takes the next waiting row. So long rows do not hold up others, and few shapes are compiled.
type worker struct {
	*deviceGenerator
	*request
	masters []*tensors.Tensor // in the dtype of the computation

	slots   []*slot // nil = free
	columns int     // of the cache
	cache   []*tensors.Tensor

	lastSteps    int           // number of steps of the last greedy run
	lastDuration time.Duration // duration of the last greedy run
}

// slot is a row that is being generated.
type slot struct {
	row       int
	sampler   *sampler
	text      []int32 // the prompt and the generated tokens; the network has not processed the last of them yet
	lookahead []int32 // what the network last predicted for the positions after text; see draft
}

// expectedAnswer is the number of tokens of an answer that a new cache has room for.
const expectedAnswer = 256

// expectedColumns returns the number of columns that a prompt and its answer are expected to need.
func (w *worker) expectedColumns(prompt int) int {
	return max(paddedLength(prompt), prompt+min(w.options.MaxTokens, expectedAnswer)+w.draftLength())
}

// cacheLength returns the length of a cache for the given number of columns.
func cacheLength(columns int) int { return powerOfTwo(columns, 128) }

// reserve makes sure that the cache has at least the given number of columns.
func (w *worker) reserve(columns int) error {
	if columns <= w.columns {
		return nil
	}
	columns = cacheLength(columns)
	in := []*tensors.Tensor{tensors.FromValue(make([]int32, len(w.slots))), tensors.FromValue(make([]int32, columns))}
	defer finalize(in)
	out, err := w.grow.Call(in, w.cache)
	if err != nil {
		return err
	}
	w.cache, w.columns = out[0], columns
	return nil
}

// draftLength returns the length of the drafts, which only greedy rows have.
func (w *worker) draftLength() int {
	if w.options.Temperature > 0 {
		return 0
	}
	return draftLength(len(w.slots))
}

// updateRows calls update for every occupied slot and frees the slot if the row is no longer live.
func (w *worker) updateRows(update func(i int, s *slot) (live bool, err error)) error {
	for i, s := range w.slots {
		if s == nil {
			continue
		}
		live, err := update(i, s)
		if err != nil {
			return fmt.Errorf("row %d: %w", s.row, err)
		}
		if !live {
			w.slots[i] = nil
		}
	}
	return nil
}

// sampleToken draws a row's next token from its logits. It returns false if the token ends the row.
func (w *worker) sampleToken(s *slot, logits []float32) (live bool, err error) {
	id, err := s.sampler.next(logits)
	if err != nil {
		return false, err
	}
	return w.appendToken(s, id)
}

// appendToken appends a token to a row and to its completion. It returns false if the token ends the row.
func (w *worker) appendToken(s *slot, id int32) (live bool, err error) {
	if id < 0 {
		return false, fmt.Errorf("the logits are not finite: %w", ErrNotFinite)
	}
	s.text = append(s.text, id)
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &w.completions[s.row]
	c.IDs = append(c.IDs, id)
	if w.onToken != nil {
		w.onToken(s.row, id)
	}
	switch {
	case slices.Contains(w.config.EOSTokenIDs, id):
		c.Stop = StopEOS
	case w.options.Stop != nil && w.options.Stop(s.row, c.IDs):
		c.Stop = StopCaller
	case len(c.IDs) == w.options.MaxTokens || len(s.text) == w.config.MaxPositionEmbeddings:
		c.Stop = StopLength
	}
	return c.Stop == "", nil
}

// withLogits calls use with logits, in the device's memory if the host can read it, and frees them.
func withLogits(logits []*tensors.Tensor, use func(logits []float32) error) error {
	defer finalize(logits)
	var used error
	if err := tensors.ConstFlatData(logits[0], func(flat []float32) { used = use(flat) }); err != nil {
		return err
	}
	return used
}
