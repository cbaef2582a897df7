package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// modelFile is the "model" of a tokenizer.json.
type modelFile struct {
	Type         string            `json:"type"`
	Dropout      *float64          `json:"dropout"`
	UnkToken     *string           `json:"unk_token"`
	Prefix       *string           `json:"continuing_subword_prefix"`
	Suffix       *string           `json:"end_of_word_suffix"`
	FuseUnk      bool              `json:"fuse_unk"`
	ByteFallback bool              `json:"byte_fallback"`
	IgnoreMerges bool              `json:"ignore_merges"`
	Vocab        *vocabulary.Table `json:"vocab"`
	Merges       json.RawMessage   `json:"merges"`
}

// newBPE compiles the "model" of a tokenizer.json. byteLevel: words are encoded as raw bytes; a model that cannot do so
// (its byteLevel is false then) needs them spelled in letters.
func newBPE(raw json.RawMessage, byteLevel bool) (*bpe, error) {
	var f modelFile
	if err := decodeStrict(raw, &f); err != nil {
		var kind struct{ Type string }
		if json.Unmarshal(raw, &kind) == nil && kind.Type != "BPE" && kind.Type != "" {
			return nil, fmt.Errorf("model %q is not supported, only BPE is", kind.Type)
		}
		return nil, fmt.Errorf("model: %w", err)
	}
	switch {
	case f.Type != "BPE" && f.Type != "":
		return nil, fmt.Errorf("model %q is not supported, only BPE is", f.Type)
	case f.Dropout != nil && *f.Dropout != 0:
		return nil, fmt.Errorf("model: dropout %g is not supported: encoding must be deterministic", *f.Dropout)
	case f.Vocab == nil || f.Vocab.Count() == 0:
		return nil, fmt.Errorf("model: vocab is missing or empty")
	}
	m := &bpe{vocab: f.Vocab, fallback: f.ByteFallback, unknown: -1, fuse: f.FuseUnk}
	if f.Prefix != nil {
		m.prefix = *f.Prefix
	}
	if f.Suffix != nil {
		m.suffix = *f.Suffix
	}
	if len(m.prefix)+len(m.suffix) > maxSubwordMark {
		return nil, fmt.Errorf("model: continuing_subword_prefix and end_of_word_suffix have more than %d bytes",
			maxSubwordMark)
	}
	m.byteLevel = byteLevel && !m.fallback && m.prefix == "" && m.suffix == ""
	if f.UnkToken != nil {
		id, ok := m.vocab.ID(*f.UnkToken)
		if !ok {
			return nil, fmt.Errorf("model: unk_token %q is not in vocab", *f.UnkToken)
		}
		m.unknown = id
	}
	m.complete(f.IgnoreMerges)
	return m, m.readMerges(f.Merges)
}

// maxSubwordMark bounds the bytes that continuing_subword_prefix and end_of_word_suffix add to each character; real
// ones have two to four.
const maxSubwordMark = 16

// complete looks up what the model's vocabulary has for single bytes and, with ignoreMerges, for whole words.
func (m *bpe) complete(ignoreMerges bool) {
	for b, letter := range vocabulary.Letters() {
		m.letters[b] = m.id(string(letter))
		m.bytes[b] = m.id(fmt.Sprintf("<0x%02X>", b))
	}
	for c := range m.ascii {
		m.ascii[c] = m.id(string(rune(c)))
	}
	if ignoreMerges {
		m.whole = m.vocab
		if m.byteLevel {
			m.whole = m.vocab.RawBytes()
		}
	}
	m.merges = vocabulary.NewMerges(0)
}

// maxMerges bounds the merges; the largest published list known, Gemma 3's, has 514,906.
const maxMerges = 1 << 20

// readMerges reads a merge list in either of its forms, "left right" and ["left", "right"].
func (m *bpe) readMerges(raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('[') {
		return fmt.Errorf("model: merges are not a list")
	}
	m.merges = vocabulary.NewMerges(min(bytes.Count(raw, []byte(",")), len(raw)/8, maxMerges))
	for d.More() {
		var merge mergeFile
		if err := d.Decode(&merge); err != nil {
			return fmt.Errorf("model: merge %d: merges are neither strings nor pairs of strings: %w", len(m.merged), err)
		}
		if merge.comment {
			continue
		}
		if len(m.merged) == maxMerges {
			return fmt.Errorf("model: there are more than %d merges", maxMerges)
		}
		if err := m.addMerge(merge.left, merge.right); err != nil {
			return err
		}
	}
	return nil
}

// mergeFile is one merge in a file.
type mergeFile struct {
	left, right string
	comment     bool // #version, which older files have first
}

// UnmarshalJSON reads "left right" or ["left", "right"].
func (f *mergeFile) UnmarshalJSON(data []byte) error {
	var pair []string
	if data[0] != '[' {
		var line string
		if err := jsontype.Unmarshal(data, &line); err != nil {
			return err
		}
		if f.comment = strings.HasPrefix(line, "#version"); f.comment {
			return nil
		}
		pair = strings.Split(line, " ")
	} else if err := jsontype.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("it has %d symbols, not 2: %.100q", len(pair), pair)
	}
	f.left, f.right = pair[0], pair[1]
	return nil
}

// addMerge adds the next merge.
func (m *bpe) addMerge(leftText, rightText string) error {
	rank := len(m.merged)
	left, right := m.id(leftText), m.id(rightText)
	merged := m.id(leftText + strings.TrimPrefix(rightText, m.prefix))
	if left < 0 || right < 0 || merged < 0 || leftText == "" || rightText == "" {
		return fmt.Errorf("model: merge %d: %q, %q or the two together are not in vocab", rank, leftText, rightText)
	}
	if old := m.merges.Rank(left, right); old != vocabulary.NoRank {
		return fmt.Errorf("model: merges %d and %d are the same: %q + %q", old, rank, leftText, rightText)
	}
	m.merges.Add(left, right, int32(rank))
	m.merged = append(m.merged, merged)
	return nil
}
