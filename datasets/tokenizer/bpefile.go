package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// modelFile is the "model" of a tokenizer.json.
type modelFile struct {
	Type         string          `json:"type"`
	Dropout      *float64        `json:"dropout"`
	UnkToken     *string         `json:"unk_token"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	Vocab        *vocabulary     `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`
}

// newBPE compiles the "model" of a tokenizer.json. byteLevel: words are encoded as raw bytes.
func newBPE(raw json.RawMessage, byteLevel bool) (*bpe, error) {
	var f modelFile
	if err := decodeStrict(raw, &f); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	switch {
	case f.Type != "BPE" && f.Type != "":
		return nil, fmt.Errorf("model %q is not supported, only BPE is", f.Type)
	case f.Dropout != nil && *f.Dropout != 0:
		return nil, fmt.Errorf("model: dropout %g is not supported: encoding must be deterministic", *f.Dropout)
	case f.Prefix != nil && *f.Prefix != "" || f.Suffix != nil && *f.Suffix != "":
		return nil, fmt.Errorf("model: continuing_subword_prefix and end_of_word_suffix are not supported")
	case f.Vocab == nil || len(f.Vocab.ids) == 0:
		return nil, fmt.Errorf("model: vocab is missing or empty")
	case byteLevel && f.ByteFallback:
		return nil, fmt.Errorf("model: byte_fallback together with a ByteLevel pre_tokenizer is not supported")
	}
	m := &bpe{vocab: f.Vocab, byteLevel: byteLevel, fallback: f.ByteFallback, unknown: -1, fuse: f.FuseUnk}
	if f.UnkToken != nil {
		id, ok := m.vocab.ids[*f.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model: unk_token %q is not in vocab", *f.UnkToken)
		}
		m.unknown = id
	}
	for b, letter := range byteLetters() {
		m.letters[b] = m.id(string(letter))
		m.bytes[b] = m.id(fmt.Sprintf("<0x%02X>", b))
	}
	if f.IgnoreMerges {
		m.whole = m.vocab.ids
		if byteLevel {
			m.whole = m.vocab.rawBytes()
		}
	}
	return m, m.readMerges(f.Merges)
}

// readMerges reads a merge list in either of its forms, "left right" and ["left", "right"].
func (m *bpe) readMerges(raw json.RawMessage) error {
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		var lines []string
		if json.Unmarshal(raw, &lines) != nil {
			return fmt.Errorf("model: merges are neither strings nor pairs of strings: %w", err)
		}
		pairs = make([][]string, 0, len(lines))
		for _, line := range lines {
			if !strings.HasPrefix(line, "#version") {
				pairs = append(pairs, strings.Split(line, " "))
			}
		}
	}
	m.ranks = make(map[uint64]int32, len(pairs))
	m.merged = make([]int32, len(pairs))
	for rank, pair := range pairs {
		if len(pair) != 2 {
			return fmt.Errorf("model: merge %d has %d symbols, not 2: %q", rank, len(pair), pair)
		}
		left, right, merged := m.id(pair[0]), m.id(pair[1]), m.id(pair[0]+pair[1])
		if left < 0 || right < 0 || merged < 0 || pair[0] == "" || pair[1] == "" {
			return fmt.Errorf("model: merge %d: %q, %q or the two together are not in vocab", rank, pair[0], pair[1])
		}
		key := pairKey(left, right)
		if old, ok := m.ranks[key]; ok {
			return fmt.Errorf("model: merges %d and %d are the same: %q + %q", old, rank, pair[0], pair[1])
		}
		m.ranks[key], m.merged[rank] = int32(rank), merged
	}
	return nil
}
