package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitter cuts normalised text into the words that the model encodes one by one. first: the text begins where the input does.
type splitter func(text string, first bool, emit func(word string))

// newSplitter compiles the "pre_tokenizer" of a tokenizer.json. byteLevel: its words are to be encoded as raw bytes.
func newSplitter(raw json.RawMessage, depth int) (split splitter, byteLevel bool, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer: %w", err)
	}
	switch kind {
	case "":
		split = func(text string, _ bool, emit func(string)) { emit(text) }
	case "Sequence":
		return splitterSequence(raw, depth)
	case "ByteLevel":
		split, err = byteLevelSplitter(raw)
		byteLevel = true
	case "Metaspace":
		split, err = metaspaceSplitter(raw)
	case "Split":
		split, err = regexSplitter(raw)
	case "Digits":
		split, err = digitSplitter(raw)
	default:
		err = fmt.Errorf("is not supported (Sequence, ByteLevel, Metaspace, Split and Digits are)")
	}
	if err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer %q: %w", kind, err)
	}
	return split, byteLevel, nil
}

func splitterSequence(raw json.RawMessage, depth int) (splitter, bool, error) {
	var f struct {
		Type          string
		Pretokenizers []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, false, fmt.Errorf("pre_tokenizer Sequence: %w", err)
	}
	chain := splitter(func(text string, _ bool, emit func(string)) { emit(text) })
	byteLevel := false
	for _, part := range f.Pretokenizers {
		if byteLevel {
			return nil, false, fmt.Errorf("pre_tokenizer Sequence: ByteLevel is supported only as its last member")
		}
		step, bytes, err := newSplitter(part, depth+1)
		if err != nil {
			return nil, false, err
		}
		chain, byteLevel = chainSplitters(chain, step), bytes
	}
	return chain, byteLevel, nil
}

func chainSplitters(outer, inner splitter) splitter {
	return func(text string, first bool, emit func(string)) {
		outer(text, first, func(part string) {
			inner(part, first, emit)
			first = false
		})
	}
}

func byteLevelSplitter(raw json.RawMessage) (splitter, error) {
	f := struct {
		Type           string
		AddPrefixSpace bool `json:"add_prefix_space"`
		TrimOffsets    bool `json:"trim_offsets"` // concerns offsets only, which this package does not give
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

// metaspace writes blanks as a visible letter, usually U+2581, and puts one before the text.
type metaspace struct {
	mark, scheme string // scheme: always, first (before the beginning of the input only) or never
	split        bool
}

// readMetaspace reads a Metaspace component, of pre-tokenizers and decoders alike.
func readMetaspace(raw json.RawMessage) (m metaspace, err error) {
	f := struct {
		Type           string
		Replacement    string
		StrRep         string `json:"str_rep"`          // older files; the same as Replacement
		AddPrefixSpace bool   `json:"add_prefix_space"` // older files
		PrependScheme  string `json:"prepend_scheme"`
		Split          bool
	}{AddPrefixSpace: true, Split: true}
	if err := decodeStrict(raw, &f); err != nil {
		return m, err
	}
	if utf8.RuneCountInString(f.Replacement) != 1 || f.StrRep != "" && f.StrRep != f.Replacement {
		return m, fmt.Errorf("replacement %q is not one character", f.Replacement)
	}
	if f.PrependScheme == "" {
		f.PrependScheme = "always"
		if !f.AddPrefixSpace {
			f.PrependScheme = "never"
		}
	}
	if f.PrependScheme != "always" && f.PrependScheme != "first" && f.PrependScheme != "never" {
		return m, fmt.Errorf("prepend_scheme %q is not one of always, first, never", f.PrependScheme)
	}
	return metaspace{f.Replacement, f.PrependScheme, f.Split}, nil
}

func metaspaceSplitter(raw json.RawMessage) (splitter, error) {
	m, err := readMetaspace(raw)
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

// regexSplitter knows the published word patterns; each has a hand-written scanner, as Go's regular expressions have no lookahead.
func regexSplitter(raw json.RawMessage) (splitter, error) {
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
		return nil, fmt.Errorf("the regular expression %q is not one of the known ones (GPT-2's, Llama 3's, Qwen 2's)", *f.Pattern.Regex)
	}
	// The known patterns match every character, so isolating matches and dropping what lies between them are the same.
	if !(f.Behavior == "Isolated" && !f.Invert || f.Behavior == "Removed" && f.Invert) {
		return nil, fmt.Errorf("behavior %q with invert %t is not supported", f.Behavior, f.Invert)
	}
	return func(text string, _ bool, emit func(string)) { scanWords(text, next, emit) }, nil
}

func digitSplitter(raw json.RawMessage) (splitter, error) {
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

// scanWords emits the words of text; next gives the length of the word at the start of a text that is not empty.
func scanWords(text string, next func(rest string) int, emit func(word string)) {
	for text != "" {
		n := next(text)
		emit(text[:n])
		text = text[n:]
	}
}
