package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/part"
)

// newPlainSplitter compiles the pre-tokenizers that look at one character at a time.
func newPlainSplitter(kind string, raw json.RawMessage) (splitter, error) {
	var f struct {
		Type      string
		Behavior  string // Punctuation
		Delimiter string // CharDelimiterSplit
		Length    int    // FixedLength
	}
	if err := decodeStrict(raw, &f); err != nil {
		return nil, err
	}
	switch kind {
	case "Punctuation":
		if f.Behavior == "" {
			f.Behavior = part.Isolated
		}
		behavior, err := part.ParseBehavior(f.Behavior)
		return newPieceSplitter(part.OfClass(isPunctuation), behavior, false), err
	case "Whitespace": // \w+|[^\w\s]+, without what lies between the matches
		return splitKinds(func(r rune) int {
			switch {
			case matcher.IsWord(r):
				return 1
			case !unicode.IsSpace(r):
				return 2
			}
			return 0
		}), nil
	case "WhitespaceSplit":
		return newPieceSplitter(part.OfClass(unicode.IsSpace), part.Removed, false), nil
	case "BertPreTokenizer":
		return chainSplitters(newPieceSplitter(part.OfClass(unicode.IsSpace), part.Removed, false),
			newPieceSplitter(part.OfClass(isPunctuation), part.Isolated, false)), nil
	case "CharDelimiterSplit":
		delimiter, size := utf8.DecodeRuneInString(f.Delimiter)
		if size == 0 || size != len(f.Delimiter) {
			return nil, fmt.Errorf("delimiter %q is not one character", f.Delimiter)
		}
		return newPieceSplitter(part.OfClass(func(r rune) bool { return r == delimiter }), part.Removed, false), nil
	case "FixedLength":
		if f.Length < 1 {
			return nil, fmt.Errorf("length %d is not positive", f.Length)
		}
		return splitEvery(f.Length), nil
	}
	return nil, errors.New("is not supported (Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, " +
		"WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit and FixedLength are)")
}

// splitKinds is the splitter whose words are the longest runs of characters of one kind; kind 0 belongs to no word.
func splitKinds(kind func(rune) int) splitter {
	return func(text string, first bool, emit func(string, bool)) {
		begin, current := 0, 0
		for at, r := range text {
			k := kind(r)
			if k == current {
				continue
			}
			if current != 0 {
				emit(text[begin:at], first && begin == 0)
			}
			begin, current = at, k
		}
		if current != 0 {
			emit(text[begin:], first && begin == 0)
		}
	}
}

// splitEvery is the splitter whose words have a number of characters.
func splitEvery(length int) splitter {
	return func(text string, first bool, emit func(string, bool)) {
		scanWords(text, first, func(rest string) int {
			count := 0
			for at := range rest {
				if count == length {
					return at
				}
				count++
			}
			return len(rest)
		}, emit)
	}
}

// isPunctuation reports whether a character is one of ASCII's symbols or punctuation in Unicode 9, whose table the
// original library has.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return unicode.IsPunct(r) || unicode.IsSymbol(r)
	}
	return r == 0x166D || r == 0x111C9 || unicode.IsPunct(r) && !unicode.Is(laterPunctuation(), r)
}

// laterPunctuation returns the punctuation that Unicode has since version 10. (U+166D and U+111C9 were punctuation
// before.)
var laterPunctuation = sync.OnceValue(func() *unicode.RangeTable {
	return &unicode.RangeTable{
		R16: []unicode.Range16{
			{0x061D, 0x061D, 1}, {0x09FD, 0x09FD, 1}, {0x0A76, 0x0A76, 1}, {0x0C77, 0x0C77, 1}, {0x0C84, 0x0C84, 1},
			{0x1B7D, 0x1B7D, 1}, {0x1B7E, 0x1B7E, 1}, {0x2E43, 0x2E4F, 1}, {0x2E52, 0x2E5D, 1},
		},
		R32: []unicode.Range32{
			{0x10EAD, 0x10EAD, 1}, {0x10F55, 0x10F59, 1}, {0x10F86, 0x10F89, 1}, {0x1144B, 0x1144F, 1},
			{0x1145A, 0x1145A, 1}, {0x1145B, 0x1145B, 1}, {0x1145D, 0x1145D, 1}, {0x11660, 0x1166C, 1},
			{0x116B9, 0x116B9, 1}, {0x1183B, 0x1183B, 1}, {0x11944, 0x11946, 1}, {0x119E2, 0x119E2, 1},
			{0x11A3F, 0x11A46, 1}, {0x11A9A, 0x11A9C, 1}, {0x11A9E, 0x11AA2, 1}, {0x11B00, 0x11B09, 1},
			{0x11C41, 0x11C45, 1}, {0x11C70, 0x11C70, 1}, {0x11C71, 0x11C71, 1}, {0x11EF7, 0x11EF7, 1},
			{0x11EF8, 0x11EF8, 1}, {0x11F43, 0x11F4F, 1}, {0x11FFF, 0x11FFF, 1}, {0x12FF1, 0x12FF1, 1},
			{0x12FF2, 0x12FF2, 1}, {0x16E97, 0x16E9A, 1}, {0x16FE2, 0x16FE2, 1}, {0x1E95E, 0x1E95E, 1},
			{0x1E95F, 0x1E95F, 1},
		},
	}
})
