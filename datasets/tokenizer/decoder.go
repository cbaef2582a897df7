package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder rewrites the texts of a row of tokens; what is left is joined to the decoded text.
type decoder func(parts []string) []string

// newDecoder compiles the "decoder" of a tokenizer.json.
func newDecoder(raw json.RawMessage, depth int) (decode decoder, err error) {
	kind, err := componentType(raw, depth)
	if err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	switch kind {
	case "":
		decode = func(parts []string) []string { return []string{strings.Join(parts, " ")} }
	case "Sequence":
		decode, err = decoderSequence(raw, depth)
	case "Replace":
		var from, to string
		from, to, err = readReplace(raw)
		decode = eachPart(func(_ int, part string) string { return strings.ReplaceAll(part, from, to) })
	case "ByteFallback":
		decode = joinByteTokens
	case "Fuse":
		decode = func(parts []string) []string { return []string{strings.Join(parts, "")} }
	case "Strip":
		decode, err = stripDecoder(raw)
	case "ByteLevel":
		decode = byteLevelDecoder(letterBytes())
	case "Metaspace":
		decode, err = metaspaceDecoder(raw)
	default:
		err = fmt.Errorf("is not supported (Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel and Metaspace are)")
	}
	if err != nil {
		return nil, fmt.Errorf("decoder %q: %w", kind, err)
	}
	return decode, nil
}

func decoderSequence(raw json.RawMessage, depth int) (decoder, error) {
	var f struct {
		Type     string
		Decoders []json.RawMessage
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	steps := make([]decoder, len(f.Decoders))
	for i, part := range f.Decoders {
		step, err := newDecoder(part, depth+1)
		if err != nil {
			return nil, err
		}
		steps[i] = step
	}
	return func(parts []string) []string {
		for _, step := range steps {
			parts = step(parts)
		}
		return parts
	}, nil
}

func eachPart(rewrite func(i int, part string) string) decoder {
	return func(parts []string) []string {
		for i, part := range parts {
			parts[i] = rewrite(i, part)
		}
		return parts
	}
}

// joinByteTokens turns each run of <0xNN> tokens into the text it spells, or, if that is not valid UTF-8, into one U+FFFD a byte.
func joinByteTokens(parts []string) []string {
	out := make([]string, 0, len(parts))
	var run []byte
	flush := func() {
		if len(run) > 0 && utf8.Valid(run) {
			out = append(out, string(run))
		} else if len(run) > 0 {
			out = append(out, strings.Repeat("\uFFFD", len(run)))
		}
		run = run[:0]
	}
	for _, part := range parts {
		if b, ok := byteToken(part); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, part)
	}
	flush()
	return out
}

// byteToken reads a token of the form <0xNN>.
func byteToken(text string) (byte, bool) {
	if len(text) != 6 || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(text[3:5], 16, 8)
	return byte(b), err == nil
}

func stripDecoder(raw json.RawMessage) (decoder, error) {
	var f struct {
		Type        string
		Content     string
		Start, Stop int
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(f.Content) != 1 || f.Start < 0 || f.Stop < 0 {
		return nil, fmt.Errorf("content %q, start %d, stop %d: one character and counts from 0 are supported", f.Content, f.Start, f.Stop)
	}
	return eachPart(func(_ int, part string) string {
		for i := 0; i < f.Start && strings.HasPrefix(part, f.Content); i++ {
			part = part[len(f.Content):]
		}
		for i := 0; i < f.Stop && strings.HasSuffix(part, f.Content); i++ {
			part = part[:len(part)-len(f.Content)]
		}
		return part
	}), nil
}

func metaspaceDecoder(raw json.RawMessage) (decoder, error) {
	f, err := readMetaspace(raw)
	if err != nil {
		return nil, err
	}
	return eachPart(func(i int, part string) string {
		if i == 0 && f.scheme != "never" {
			return strings.ReplaceAll(part, f.mark, "")
		}
		return strings.ReplaceAll(part, f.mark, " ")
	}), nil
}

// byteLevelDecoder turns letters back into bytes. A token with another character in it (an added one) stands for its own text.
func byteLevelDecoder(inverse map[rune]byte) decoder {
	return func(parts []string) []string {
		var b strings.Builder
		for _, part := range parts {
			if raw, ok := lettersToBytes(inverse, part); ok {
				b.WriteString(raw)
			} else {
				b.WriteString(part)
			}
		}
		return []string{replaceInvalid(b.String())}
	}
}

// replaceInvalid writes one U+FFFD for each maximal beginning of a character that is cut short, and for each other invalid byte,
// as Unicode recommends and Rust and Python do. (strings.ToValidUTF8 would write one for a whole run.)
func replaceInvalid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			size = brokenLen(text)
			b.WriteString("\uFFFD")
		} else {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// brokenLen is how many bytes of text, which starts with an invalid character, could begin a valid one; at least 1.
func brokenLen(text string) int {
	n := min(3, len(text))
	for ; n > 1; n-- {
		for _, fill := range []string{"\x80", "\x80\x80", "\xBF", "\xBF\xBF"} {
			if utf8.ValidString(text[:n]+fill) && utf8.RuneCountInString(text[:n]+fill) == 1 {
				return n
			}
		}
	}
	return n
}
