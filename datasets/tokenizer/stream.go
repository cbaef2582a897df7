package tokenizer

import "strings"

// Stream decodes a row of tokens while it grows. Make it with Tokenizer.NewStream; it is for one goroutine.
type Stream struct {
	tokenizer *Tokenizer
	ids       []int32 // the tokens between the last two places where the text was complete, as context for the decoder, then those after
	context   int     // how many of ids are context
	shown     int     // how many of ids were there when text was last given out
	given     string  // what has been given out of their text
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
	if strings.HasSuffix(text, "\uFFFD") {
		if len(s.ids)-s.shown < maxHeld {
			return ""
		}
		fresh := s.give(certain(text))
		s.forget(text)
		return fresh
	}
	fresh := s.give(text)
	s.ids = append(s.ids[:0], s.ids[s.context:]...)
	s.context, s.shown = len(s.ids), len(s.ids)
	s.given = s.tokenizer.Decode(s.ids, true)
	return fresh
}

// Flush returns what Push held back, with U+FFFD for a character that never became complete.
func (s *Stream) Flush() string { return s.give(s.tokenizer.Decode(s.ids, true)) }

// give returns what a text of ids adds to what has been given out.
func (s *Stream) give(text string) string {
	fresh := strings.TrimPrefix(text, s.given)
	s.given, s.shown = text, len(s.ids)
	return fresh
}

// maxBabble is how many tokens of a text that never becomes complete are kept as context, so that a long one takes linear time.
const maxBabble = 4 * maxHeld

// forget drops the oldest of too many ids, up to a place where the decoder gives the same text in two parts as in one.
func (s *Stream) forget(text string) {
	if len(s.ids) <= maxBabble {
		return
	}
	for cut := len(s.ids) - maxHeld; cut < len(s.ids)-maxHeld+4; cut++ {
		rest := s.tokenizer.Decode(s.ids[cut:], true)
		if s.tokenizer.Decode(s.ids[:cut], true)+rest == text {
			s.ids = append(s.ids[:0], s.ids[cut:]...)
			s.context, s.shown, s.given = 0, len(s.ids), certain(rest)
			return
		}
	}
}

// certain is a text without the U+FFFD at its end that may stand for a character whose last byte is missing.
func certain(text string) string {
	for range 3 {
		text = strings.TrimSuffix(text, "\uFFFD")
	}
	return text
}
