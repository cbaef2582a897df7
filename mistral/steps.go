package mistral

import (
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// A greedy run takes about greedyRunTime, so that tokens reach the caller soon, and at most maxGreedySteps steps.
const (
	greedyRunTime  = time.Second / 10
	maxGreedySteps = 64
)

// step continues all rows by one or more tokens.
func (w *worker) step() error {
	for _, s := range w.slots {
		if s == nil {
			continue
		}
		if err := w.reserve(len(s.text) + 1 + w.draftLength()); err != nil {
			return err
		}
	}
	if w.options.Temperature == 0 {
		return w.runGreedy()
	}
	return w.stepSampled()
}

// stepSampled runs the network over the last token of every row and draws the next one.
func (w *worker) stepSampled() error {
	tokens, positions := make([]int32, len(w.slots)), make([]int32, len(w.slots))
	for i, s := range w.slots {
		if s == nil {
			continue // a free slot is computed at position 0, and its logits are ignored
		}
		positions[i] = int32(len(s.text) - 1)
		tokens[i] = s.text[positions[i]]
	}
	in := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(tokens, len(w.slots), 1), tensors.FromValue(positions)}
	defer finalize(in)
	out, err := w.decode.Call(w.baseValues(), w.masters, in, w.cache)
	if err != nil {
		return err
	}
	w.cache = out[1]
	return withLogits(out[0], func(logits []float32) error {
		return w.updateRows(func(i int, s *slot) (live bool, err error) {
			return w.sampleToken(s, logits[i*w.config.VocabSize:][:w.config.VocabSize])
		})
	})
}

// runGreedy continues all rows by a greedy run, which is several steps in one program.
func (w *worker) runGreedy() error {
	began := time.Now()
	in := w.greedyInputs()
	defer finalize(in)
	out, err := w.greedy.Call(w.baseValues(), w.masters, in, w.cache)
	if err != nil {
		return err
	}
	w.cache = out[1]
	defer finalize(out[0])
	var results [3][]int32 // steps, text, length
	for i, t := range out[0] {
		if results[i], err = tensors.CopyFlatData[int32](t); err != nil {
			return err
		}
	}
	w.lastSteps, w.lastDuration = int(results[0][0]), time.Since(began)
	return w.updateRows(func(i int, s *slot) (live bool, err error) {
		text, length := results[1][i*w.columns:][:w.columns], results[2][i]
		s.lookahead = text[length:][:w.draftLength()]
		for live = true; live && err == nil && len(s.text) < int(length); {
			live, err = w.appendToken(s, text[len(s.text)])
		}
		return live, err
	})
}

// greedyInputs returns the text, the lengths, the length limits and the number of steps that greedyRun takes. Free
// slots have the length and the limit 0 and so take no part. The number of steps follows from the duration of the
// last run.
func (w *worker) greedyInputs() []*tensors.Tensor {
	rows := len(w.slots)
	text := make([]int32, rows*w.columns)
	lengths, limits := make([]int32, rows), make([]int32, rows)
	for i, s := range w.slots {
		if s == nil {
			continue
		}
		row := text[i*w.columns:][:w.columns]
		copy(row[copy(row, s.text):], s.lookahead)
		end := len(w.prompts[s.row]) + w.options.MaxTokens
		lengths[i] = int32(len(s.text))
		limits[i] = int32(min(end, w.config.MaxPositionEmbeddings, w.columns-w.draftLength()))
	}
	steps := int32(1)
	if w.lastSteps > 0 {
		steps = int32(max(1, min(maxGreedySteps, time.Duration(w.lastSteps)*greedyRunTime/max(1, w.lastDuration))))
	}
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(text, rows, w.columns), tensors.FromValue(lengths), tensors.FromValue(limits),
		tensors.FromScalar(steps),
	}
}
