package mistral

import (
	"time"

	"github.com/gomlx/gomlx/core/tensors"
)

// step continues all rows by a token or more.
func (b *worker) step() error {
	for _, s := range b.slots {
		if s == nil {
			continue
		}
		if err := b.reserve(len(s.text) + 1 + b.draftLength()); err != nil {
			return err
		}
	}
	if b.options.Temperature == 0 {
		return b.runGreedy()
	}
	return b.stepSampled()
}

// stepDrawing runs the network over the last token of every row, and draws the next ones.
func (b *worker) stepSampled() error {
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
	out, err := b.decode.Call(b.baseValues(), b.masters, in, b.cache)
	if err != nil {
		return err
	}
	b.cache = out[1]
	return withLogits(out[0], func(logits []float32) error {
		return b.updateRows(func(i int, s *slot) (live bool, err error) {
			return b.sampleToken(s, logits[i*b.config.VocabSize:][:b.config.VocabSize])
		})
	})
}

// A greedy run takes about so long, so that tokens come as they are said, and has no more steps.
const greedyRunTime, maxGreedySteps = time.Second / 10, 64

// stepsGreedily does a greedy run.
func (b *worker) runGreedy() error {
	began := time.Now()
	in := b.greedyInputs()
	defer finalize(in)
	out, err := b.greedy.Call(b.baseValues(), b.masters, in, b.cache)
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
	b.lastSteps, b.lastDuration = int(results[0][0]), time.Since(began)
	return b.updateRows(func(i int, s *slot) (live bool, err error) {
		text, length := results[1][i*b.columns:][:b.columns], results[2][i]
		s.lookahead = text[length:][:b.draftLength()]
		for live = true; live && err == nil && len(s.text) < int(length); {
			live, err = b.appendToken(s, text[len(s.text)])
		}
		return live, err
	})
}

// runInput is what greedyRun is to know of the rows.
func (b *worker) greedyInputs() []*tensors.Tensor {
	text := make([]int32, len(b.slots)*b.columns)
	lengths, limits := make([]int32, len(b.slots)), make([]int32, len(b.slots))
	for i, s := range b.slots {
		if s == nil {
			continue // takes no part
		}
		row := text[i*b.columns:][:b.columns]
		copy(row[copy(row, s.text):], s.lookahead)
		end := len(b.prompts[s.row]) + b.options.MaxTokens
		lengths[i], limits[i] = int32(len(s.text)), int32(min(end, b.config.MaxPositionEmbeddings, b.columns-b.draftLength()))
	}
	steps := int32(1)
	if b.lastSteps > 0 {
		steps = int32(max(1, min(maxGreedySteps, time.Duration(b.lastSteps)*greedyRunTime/max(1, b.lastDuration))))
	}
	return []*tensors.Tensor{tensors.FromFlatDataAndDimensions(text, len(b.slots), b.columns), tensors.FromValue(lengths), tensors.FromValue(limits),
		tensors.FromScalar(steps)}
}
