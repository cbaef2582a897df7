package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/normalform"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// decoder rewrites the texts of a row of tokens; joined, the result is the decoded text.
type decoder func(texts []string) []string

// newDecoder compiles the "decoder" of a tokenizer.json.
func newDecoder(raw json.RawMessage) (decoder, error) {
	decode, growth, err := newDecoderStep(raw, 0)
	if err == nil {
		err = checkGrowth(growth)
	}
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	return decode, nil
}

// newDecoderStep compiles one decoder; growth is how many times as long it can make the texts.
func newDecoderStep(raw json.RawMessage, depth int) (decode decoder, growth float64, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, 0, err
	}
	growth = 1
	switch kind {
	case "":
		decode, growth = func(texts []string) []string { return []string{strings.Join(texts, " ")} }, 2
	case "Sequence":
		decode, growth, err = newDecoderSequence(raw, depth)
	case "Replace":
		var replace func(string) string
		replace, growth, err = parseReplace(raw)
		decode = rewriteEach(func(_ int, text string) string { return replace(text) })
	case "ByteFallback":
		decode = joinByteTokens
	case "Fuse":
		decode = func(texts []string) []string { return []string{strings.Join(texts, "")} }
	case "Strip":
		decode, err = newStripDecoder(raw)
	case "ByteLevel":
		decode, growth = newByteLevelDecoder(vocabulary.Bytes()), 3 // a byte may become U+FFFD
	case "Metaspace":
		decode, err = newMetaspaceDecoder(raw)
	case "BPEDecoder":
		decode, err = newSuffixDecoder(raw)
	default:
		err = errors.New("is not supported (Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel, Metaspace and " +
			"BPEDecoder are)")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%q: %w", kind, err)
	}
	return decode, growth, nil
}

func newDecoderSequence(raw json.RawMessage, depth int) (decoder, float64, error) {
	var f struct {
		Type     string
		Decoders []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, 0, err
	}
	if len(f.Decoders) > maxMembers {
		return nil, 0, fmt.Errorf("more than %d members", maxMembers)
	}
	steps, growth := make([]decoder, len(f.Decoders)), 1.0
	for i, member := range f.Decoders {
		step, times, err := newDecoderStep(member, depth+1)
		if err != nil {
			return nil, 0, err
		}
		steps[i] = step
		growth *= times
	}
	return func(texts []string) []string {
		for _, step := range steps {
			texts = step(texts)
		}
		return texts
	}, growth, nil
}

// newSuffixDecoder turns the end of a word, which the vocabulary marks by a suffix, into a space, but not the last.
func newSuffixDecoder(raw json.RawMessage) (decoder, error) {
	var f struct{ Type, Suffix string }
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	if f.Suffix == "" {
		return nil, errors.New("the suffix is empty")
	}
	return func(texts []string) []string {
		for i, text := range texts {
			space := " "
			if i == len(texts)-1 {
				space = ""
			}
			texts[i] = strings.ReplaceAll(text, f.Suffix, space)
		}
		return texts
	}, nil
}

// rewriteEach is the decoder that rewrites each text by itself; i counts the texts.
func rewriteEach(rewrite func(i int, text string) string) decoder {
	return func(texts []string) []string {
		for i, text := range texts {
			texts[i] = rewrite(i, text)
		}
		return texts
	}
}

// joinByteTokens replaces each run of <0xNN> tokens by the text that it spells, or by one U+FFFD per byte if that is
// not valid UTF-8.
func joinByteTokens(texts []string) []string {
	out := make([]string, 0, len(texts))
	var run []byte
	flush := func() {
		if len(run) > 0 && utf8.Valid(run) {
			out = append(out, string(run))
		} else if len(run) > 0 {
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, text := range texts {
		if b, ok := byteToken(text); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, text)
	}
	flush()
	return out
}

// byteToken returns the byte of a token of the form <0xNN>; false for other tokens.
func byteToken(text string) (byte, bool) {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(text[3:5], 16, 8)
	return byte(b), err == nil
}

// newStripDecoder drops up to Start leading and Stop trailing copies of a character from each text.
func newStripDecoder(raw json.RawMessage) (decoder, error) {
	var f struct {
		Type        string
		Content     string
		Start, Stop int
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(f.Content) != 1 || f.Start < 0 || f.Stop < 0 {
		return nil, fmt.Errorf("content %q, start %d, stop %d: only one character and counts from 0 are supported",
			f.Content, f.Start, f.Stop)
	}
	return rewriteEach(func(_ int, text string) string {
		for i := 0; i < f.Start && strings.HasPrefix(text, f.Content); i++ {
			text = text[len(f.Content):]
		}
		for i := 0; i < f.Stop && strings.HasSuffix(text, f.Content); i++ {
			text = text[:len(text)-len(f.Content)]
		}
		return text
	}), nil
}

// newMetaspaceDecoder turns the letters of a Metaspace back into spaces; the first text loses them.
func newMetaspaceDecoder(raw json.RawMessage) (decoder, error) {
	f, err := parseMetaspace(raw)
	if err != nil {
		return nil, err
	}
	return rewriteEach(func(i int, text string) string {
		if i == 0 && f.scheme != "never" {
			return strings.ReplaceAll(text, f.mark, "")
		}
		return strings.ReplaceAll(text, f.mark, " ")
	}), nil
}

// newByteLevelDecoder turns letters back into bytes. A token with a character that stands for no byte, such as an added
// token, is its own text.
func newByteLevelDecoder(inverse map[rune]byte) decoder {
	return func(texts []string) []string {
		var b strings.Builder
		for _, text := range texts {
			if raw, ok := vocabulary.Spelled(inverse, text); ok {
				b.WriteString(raw)
			} else {
				b.WriteString(text)
			}
		}
		return []string{normalform.ReplaceInvalid(b.String())}
	}
}
