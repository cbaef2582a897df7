package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitter splits normalised text into the words that the model encodes one by one. first: the text is the beginning of
// the input.
type splitter func(text string, first bool, emit func(word string))

// newSplitter compiles the "pre_tokenizer" of a tokenizer.json. byteLevel: the model must encode its words as raw
// bytes.
func newSplitter(raw json.RawMessage, depth int) (split splitter, byteLevel bool, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer: %w", err)
	}
	switch kind {
	case "":
		split = func(text string, _ bool, emit func(string)) { emit(text) }
	case "Sequence":
		return newSplitterSequence(raw, depth)
	case "ByteLevel":
		split, err = newByteLevelSplitter(raw)
		byteLevel = true
	case "Metaspace":
		split, err = newMetaspaceSplitter(raw)
	case "Split":
		split, err = newRegexSplitter(raw)
	case "Digits":
		split, err = newDigitSplitter(raw)
	default:
		err = fmt.Errorf("is not supported (Sequence, ByteLevel, Metaspace, Split and Digits are)")
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
	chain := splitter(func(text string, _ bool, emit func(string)) { emit(text) })
	byteLevel := false
	for _, member := range f.Pretokenizers {
		if byteLevel {
			return nil, false, fmt.Errorf("pre_tokenizer Sequence: ByteLevel is supported only as its last member")
		}
		step, last, err := newSplitter(member, depth+1)
		if err != nil {
			return nil, false, err
		}
		chain, byteLevel = chainSplitters(chain, step), last
	}
	return chain, byteLevel, nil
}

// chainSplitters is the splitter that splits the words of outer by inner.
func chainSplitters(outer, inner splitter) splitter {
	return func(text string, first bool, emit func(string)) {
		outer(text, first, func(word string) {
			inner(word, first, emit)
			first = false
		})
	}
}

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
	return func(text string, _ bool, emit func(string)) {
		if f.AddPrefixSpace && !strings.HasPrefix(text, " ") {
			text = " " + text
		}
		if !f.UseRegex {
			emit(text)
			return
		}
		scanWords(text, gpt2Word, emit)
	}, nil
}

func newMetaspaceSplitter(raw json.RawMessage) (splitter, error) {
	m, err := parseMetaspace(raw)
	if err != nil {
		return nil, err
	}
	return func(text string, first bool, emit func(string)) {
		text = strings.ReplaceAll(text, " ", m.mark)
		if (m.scheme == "always" || m.scheme == "first" && first) && !strings.HasPrefix(text, m.mark) {
			text = m.mark + text
		}
		if !m.split {
			emit(text)
			return
		}
		scanWords(text, func(rest string) int {
			if next := strings.Index(rest[1:], m.mark); next >= 0 {
				return next + 1
			}
			return len(rest)
		}, emit)
	}, nil
}

// newRegexSplitter supports the word patterns of published tokenizers only. Each has a hand-written scanner, since Go's
// regular expressions have no lookahead.
func newRegexSplitter(raw json.RawMessage) (splitter, error) {
	var f struct {
		Type     string
		Pattern  pattern
		Behavior string
		Invert   bool
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	if f.Pattern.Regex == nil {
		return nil, fmt.Errorf("only a pattern {\"Regex\": …} is supported")
	}
	var next func(string) int
	switch *f.Pattern.Regex {
	case gpt2Pattern:
		next = gpt2Word
	case llama3Pattern:
		next = func(text string) int { return llama3Word(text, 3) }
	case qwen2Pattern:
		next = func(text string) int { return llama3Word(text, 1) }
	default:
		return nil, fmt.Errorf("the regular expression %q is not supported (GPT-2's, Llama 3's and Qwen 2's are)",
			*f.Pattern.Regex)
	}
	// The patterns above match every character, so isolating the matches and dropping the text between them are the
	// same.
	if !(f.Behavior == "Isolated" && !f.Invert || f.Behavior == "Removed" && f.Invert) {
		return nil, fmt.Errorf("behavior %q with invert %t is not supported", f.Behavior, f.Invert)
	}
	return func(text string, _ bool, emit func(string)) { scanWords(text, next, emit) }, nil
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
	return func(text string, _ bool, emit func(string)) { scanWords(text, next, emit) }, nil
}

// scanWords emits the words of text; next returns the length of the word at the start of a text that is not empty.
func scanWords(text string, next func(rest string) int, emit func(word string)) {
	for text != "" {
		n := next(text)
		emit(text[:n])
		text = text[n:]
	}
}
