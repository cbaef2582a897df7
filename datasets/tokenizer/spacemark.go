package tokenizer

import "strings"

// spaceMark is the letter that SentencePiece writes for a space.
const spaceMark = "\u2581"

// canSplitBefore reports whether text may be split before each run of mark without changing any id. This holds when no
// merge puts a symbol that does not end with mark before a symbol that begins with it. A long text then becomes many
// short words.
func (m *bpe) canSplitBefore(mark string) bool {
	if m.byteLevel || m.whole != nil || m.id(mark) < 0 {
		return false
	}
	for key := range m.ranks {
		left, _ := m.vocab.text(int32(key >> 32))
		right, _ := m.vocab.text(int32(uint32(key)))
		if strings.HasPrefix(right, mark) && !strings.HasSuffix(left, mark) {
			return false
		}
	}
	return true
}

// splitBeforeSpaceMark is a splitter that splits text before each run of spaceMark.
func splitBeforeSpaceMark(text string, first bool, emit func(word string, first bool)) {
	scanWords(text, first, func(rest string) int {
		n := 0
		for strings.HasPrefix(rest[n:], spaceMark) {
			n += len(spaceMark)
		}
		if next := strings.Index(rest[n:], spaceMark); next >= 0 {
			return n + next
		}
		return len(rest)
	}, emit)
}
