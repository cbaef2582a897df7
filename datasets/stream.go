package datasets

import "strings"

// Stream decodes a row of tokens while it grows. Make it with Tokenizer.NewStream; it is for one goroutine.
type Stream struct {
	tokenizer *Tokenizer
	ids       []int32 // the tokens last written, as context for the decoder, then those held back
	written   int     // how many of ids have been written
	prefix    string  // what has been given out of their text
}

// maxHeld is how many tokens Push holds back for a character to become complete. A character is at most four byte tokens; the rest
// is for a model that babbles broken bytes.
const maxHeld = 32

// NewStream starts decoding a new row. Special tokens are left out.
func (t *Tokenizer) NewStream() *Stream { return &Stream{tokenizer: t} }

// Push takes the next token and returns the text that is complete with it: whole characters only, "" while one is cut short.
// The texts of all Push calls and of Flush, joined, are the row's Decode. (Where byte tokens spell no character at all, only the number
// of U+FFFD may differ, or a character among them be written that Decode gives up with the rest of its run.)
func (s *Stream) Push(id int32) string {
	if s.tokenizer.Special(id) {
		return ""
	}
	s.ids = append(s.ids, id)
	text := s.tokenizer.Decode(s.ids, true)
	if !strings.HasSuffix(text, "\uFFFD") {
		return s.write(text, 0)
	}
	if len(s.ids)-s.written < maxHeld {
		return ""
	}
	return s.write(text, maxBroken)
}

// Flush returns what Push held back, with U+FFFD for a character that never became complete.
func (s *Stream) Flush() string {
	return s.write(s.tokenizer.Decode(s.ids, true), 0)
}

// write gives out the text of ids, less up to keep U+FFFD at its end, which may yet become a character.
func (s *Stream) write(text string, keep int) string {
	fresh := strings.TrimPrefix(trimBroken(text, keep), s.prefix)
	s.ids = append(s.ids[:0], s.ids[s.written:]...)
	s.written = len(s.ids)
	s.prefix = trimBroken(s.tokenizer.Decode(s.ids, true), keep)
	return fresh
}

// maxBroken is how many U+FFFD stand for a character whose last byte is missing.
const maxBroken = 3

func trimBroken(text string, most int) string {
	for range most {
		text = strings.TrimSuffix(text, "\uFFFD")
	}
	return text
}
