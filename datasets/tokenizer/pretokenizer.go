package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/part"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// newSplitter compiles the "pre_tokenizer" of a tokenizer.json. byteLevel: its last step is ByteLevel, whose letters
// are not written: the model must encode the words as raw bytes.
func newSplitter(raw json.RawMessage, depth int) (split splitter, byteLevel bool, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer: %w", err)
	}
	switch kind {
	case "":
		split = whole
	case "Sequence":
		return newSplitterSequence(raw, depth)
	case "ByteLevel":
		split, err = newByteLevelSplitter(raw)
		byteLevel = true
	case "Metaspace":
		split, err = newMetaspaceSplitter(raw)
	case "Split":
		split, err = newSplit(raw)
	case "Digits":
		split, err = newDigitSplitter(raw)
	default:
		split, err = newPlainSplitter(kind, raw)
	}
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer %q: %w", kind, err)
	}
	return split, byteLevel, nil
}

func newSplitterSequence(raw json.RawMessage, depth int) (splitter, bool, error) {
	var f struct {
		Type          string
		Pretokenizers []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer Sequence: %w", err)
	}
	if len(f.Pretokenizers) > maxMembers {
		return nil, false, fmt.Errorf("pre_tokenizer Sequence: more than %d members", maxMembers)
	}
	chain, byteLevel := splitter(whole), false
	for _, member := range f.Pretokenizers {
		step, last, err := newSplitter(member, depth+1)
		if err != nil {
			return nil, false, err
		}
		if byteLevel { // what follows ByteLevel sees its letters
			chain = chainSplitters(chain, spellBytes())
		}
		chain, byteLevel = chainSplitters(chain, step), last
	}
	return chain, byteLevel, nil
}

// spellBytes is the splitter that writes each byte of a word as its letter.
func spellBytes() splitter {
	spell := vocabulary.Speller()
	return func(text string, first bool, emit func(string, bool)) { emit(spell(text), first) }
}

// gpt2Words is the pattern by which GPT-2, and ByteLevel with use_regex, splits a text into words.
const gpt2Words = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func newByteLevelSplitter(raw json.RawMessage) (splitter, error) {
	f := struct {
		Type           string
		AddPrefixSpace bool `json:"add_prefix_space"`
		TrimOffsets    bool `json:"trim_offsets"` // about offsets, which this package does not return
		UseRegex       bool `json:"use_regex"`
	}{AddPrefixSpace: true, UseRegex: true}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	words := splitter(whole)
	if f.UseRegex {
		var err error
		if words, err = newPatternSplitter(gpt2Words); err != nil {
			return nil, err
		}
	}
	if !f.AddPrefixSpace {
		return words, nil
	}
	return func(text string, first bool, emit func(string, bool)) {
		if !strings.HasPrefix(text, " ") {
			text = " " + text
		}
		words(text, first, emit)
	}, nil
}

func newMetaspaceSplitter(raw json.RawMessage) (splitter, error) {
	m, err := parseMetaspace(raw)
	if err != nil {
		return nil, err
	}
	return func(text string, first bool, emit func(string, bool)) {
		text = strings.ReplaceAll(text, " ", m.mark)
		if (m.scheme == "always" || m.scheme == "first" && first) && !strings.HasPrefix(text, m.mark) {
			text = m.mark + text
		}
		if !m.split {
			emit(text, first)
			return
		}
		scanWords(text, first, func(rest string) int {
			if next := strings.Index(rest[1:], m.mark); next >= 0 {
				return next + 1
			}
			return len(rest)
		}, emit)
	}, nil
}

// newDigitSplitter separates numbers from other text, and with individual_digits each digit from the next.
func newDigitSplitter(raw json.RawMessage) (splitter, error) {
	var f struct {
		Type       string
		Individual bool `json:"individual_digits"`
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	next := func(text string) int {
		r, size := utf8.DecodeRuneInString(text)
		digit := unicode.IsNumber(r)
		if digit && f.Individual {
			return size
		}
		return size + prefixLen(text[size:], func(r rune) bool { return unicode.IsNumber(r) == digit })
	}
	return func(text string, first bool, emit func(string, bool)) { scanWords(text, first, next, emit) }, nil
}

// newSplit compiles a Split component.
func newSplit(raw json.RawMessage) (splitter, error) {
	var f struct {
		Type     string
		Pattern  part.Pattern
		Behavior string
		Invert   bool
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	behavior, err := part.ParseBehavior(f.Behavior)
	if err != nil {
		return nil, err
	}
	find, _, err := part.NewFinder(f.Pattern)
	if err != nil {
		return nil, err
	}
	if f.Pattern.Regex != nil && behavior == part.Isolated {
		return newPatternSplitter(*f.Pattern.Regex)
	}
	return newPieceSplitter(find, behavior, f.Invert), nil
}
