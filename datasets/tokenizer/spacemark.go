package tokenizer

import "strings"

// spaceMark is the letter that SentencePiece writes for a blank.
const spaceMark = "\u2581"

// splitsBefore says whether no merge joins a symbol with a following one that begins with mark, unless the first ends with mark. Then
// text may be cut before each run of marks without changing any id, and a long text becomes many short words.
func (m *bpe) splitsBefore(mark string) bool {
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

// splitBeforeMark cuts text before each run of spaceMark.
func splitBeforeMark(text string, _ bool, emit func(word string)) {
	scanWords(text, func(rest string) int {
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
