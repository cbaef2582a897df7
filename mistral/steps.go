package mistral

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// step continues all rows by a token or more.
func (b *generation) step() error {
	for _, s := range b.slots {
		if s == nil {
			continue
		}
		if err := b.reserve(len(s.text) + 1 + b.drafted()); err != nil {
			return err
		}
	}
	if b.options.Temperature == 0 {
		return b.stepsGreedily()
	}
	return b.stepDrawing()
}

// drafted is the length of the drafts of greedy rows.
func (b *generation) drafted() int {
	if b.options.Temperature > 0 {
		return 0
	}
	return drafted(len(b.slots))
}

// stepDrawing runs the network over the last token of every row, and draws the next ones.
func (b *generation) stepDrawing() error {
	tokens, positions := make([]int32, len(b.slots)), make([]int32, len(b.slots))
	for i, s := range b.slots {
		if s == nil {
			continue // computed at position 0, and looked at by nobody
		}
		positions[i] = int32(len(s.text) - 1)
		tokens[i] = s.text[positions[i]]
	}
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, len(b.slots), 1), tensors.FromValue(positions)}
	defer finalize(in)
	out, err := b.decode.Call(b.weights(), b.trained, in, b.cache)
	if err != nil {
		return err
	}
	b.cache = out[1]
	return read(out[0], func(logits []float32) error {
		return b.each(func(i int, s *slot) (live bool, err error) {
			return b.draw(s, logits[i*b.config.VocabSize:][:b.config.VocabSize])
		})
	})
}

// A greedy run takes about so long, so that tokens come as they are said, and has no more steps.
const runTime, mostSteps = time.Second / 10, 64

// stepsGreedily does a greedy run.
func (b *generation) stepsGreedily() error {
	began := time.Now()
	in := b.runInput()
	defer finalize(in)
	out, err := b.greedy.Call(b.weights(), b.trained, in, b.cache)
	if err != nil {
		return err
	}
	b.cache = out[1]
	defer finalize(out[0])
	var results [3][]int32 // steps, text, length
	for i, t := range out[0] {
		if results[i], err = tensors.CopyFlatData[int32](t); err != nil {
			return err
		}
	}
	b.steps, b.took = int(results[0][0]), time.Since(began)
	return b.each(func(i int, s *slot) (live bool, err error) {
		text, length := results[1][i*b.length:][:b.length], results[2][i]
		s.behind = text[length:][:b.drafted()]
		for live = true; live && err == nil && len(s.text) < int(length); {
			live, err = b.take(s, text[len(s.text)])
		}
		return live, err
	})
}

// runInput is what greedyRun is to know of the rows.
func (b *generation) runInput() []*tensors.Tensor {
	text := make([]int32, len(b.slots)*b.length)
	lengths, limits := make([]int32, len(b.slots)), make([]int32, len(b.slots))
	for i, s := range b.slots {
		if s == nil {
			continue // takes no part
		}
		row := text[i*b.length:][:b.length]
		copy(row[copy(row, s.text):], s.behind)
		end := len(b.prompts[s.row]) + b.options.MaxTokens
		lengths[i], limits[i] = int32(len(s.text)), int32(min(end, b.config.MaxPositionEmbeddings, b.length-b.drafted()))
	}
	steps := int32(1)
	if b.steps > 0 {
		steps = int32(max(1, min(mostSteps, time.Duration(b.steps)*runTime/max(1, b.took))))
	}
	return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(text, len(b.slots), b.length), tensors.FromValue(lengths), tensors.FromValue(limits),
		tensors.FromScalar(steps)}
}

// each lets go on what has a row, and frees the slots of those that say that theirs has ended.
func (b *generation) each(goOn func(i int, s *slot) (live bool, err error)) error {
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
func (b *generation) draw(s *slot, logits []float32) (live bool, err error) {
	id, err := s.sampler.next(logits)
	if err != nil {
		return false, err
	}
	return b.take(s, id)
}

// take is told a row's next token and says whether the row goes on.
func (b *generation) take(s *slot, id int32) (live bool, err error) {
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
func read(logits []*tensors.Tensor, use func(logits []float32) error) error {
	defer finalize(logits)
	var used error
	if err := tensors.ConstFlatData(logits[0], func(flat []float32) { used = use(flat) }); err != nil {
		return err
	}
	return used
}
