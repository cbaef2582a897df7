package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// MaxPairs is the largest size of a file of pairs in bytes.
const MaxPairs = 1 << 30

// pairRow is one line of a file of pairs in token ids. A row is prompt and response; BOS and EOS are in it already.
type pairRow struct {
	Prompt       []int32 `json:"prompt_ids"`
	Chosen       []int32 `json:"chosen_ids"`
	Rejected     []int32 `json:"rejected_ids"`
	ChosenSafe   *bool   `json:"is_chosen_safe"`
	RejectedSafe *bool   `json:"is_rejected_safe"`
}

// readPairs reads a file of pairs, one JSON object a line, for a model. An error names the line.
func readPairs(path string, m config.Config) ([]batch.Pair, error) {
	text, err := atomicfile.ReadLimited(path, MaxPairs)
	if err != nil {
		return nil, err
	}
	pairs, err := parsePairs(filepath.Base(path), text, m)
	if err == nil && len(pairs) == 0 {
		err = fmt.Errorf("there is no pair in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pairs, nil
}

func parsePairs(name string, text []byte, m config.Config) (pairs []batch.Pair, err error) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var p pairRow
		if err = json.Unmarshal(line, &p); err == nil {
			err = p.check(m)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		row := func(response []int32) batch.Sequence {
			return batch.Sequence{IDs: slices.Concat(p.Prompt, response), PromptLength: len(p.Prompt)}
		}
		pairs = append(pairs, batch.Pair{
			ID: fmt.Sprintf("%s#%d", name, len(pairs)), Chosen: row(p.Chosen), Rejected: row(p.Rejected),
			ChosenSafe: *p.ChosenSafe, RejectedSafe: *p.RejectedSafe,
		})
	}
	return pairs, nil
}

// check refuses a pair that lacks something, or that the model cannot read.
func (p pairRow) check(m config.Config) error {
	for _, part := range []struct {
		name string
		ids  []int32
	}{{"prompt_ids", p.Prompt}, {"chosen_ids", p.Chosen}, {"rejected_ids", p.Rejected}} {
		if len(part.ids) == 0 {
			return fmt.Errorf("%s is missing or empty", part.name)
		}
		for i, id := range part.ids {
			if id < 0 || int(id) >= m.VocabSize {
				return fmt.Errorf("%s: token %d at place %d is not in the model's vocabulary of %d", part.name, id, i, m.VocabSize)
			}
		}
	}
	switch {
	case p.ChosenSafe == nil:
		return fmt.Errorf("is_chosen_safe is missing")
	case p.RejectedSafe == nil:
		return fmt.Errorf("is_rejected_safe is missing")
	}
	if n := len(p.Prompt) + max(len(p.Chosen), len(p.Rejected)); n > m.MaxPositionEmbeddings {
		return fmt.Errorf("a row of %d tokens is longer than the model's max_position_embeddings, %d", n,
			m.MaxPositionEmbeddings)
	}
	return nil
}
