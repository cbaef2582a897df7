package tokenizer

import "strings"

// Stream decodes a row of tokens while it grows. Make it with Tokenizer.NewStream; it is for one goroutine.
type Stream struct {
	tokenizer *Tokenizer
	ids       []int32 // the context that the decoder needs, then the tokens after it
	context   int     // how many of ids are context: the tokens between the last two points where the text was complete
	shown     int     // how many of ids were there when text was last returned
	given     string  // what of their text has been returned
}

// maxPending is the number of tokens that Push holds back until a character is complete. A character takes at most four
// byte tokens; the rest is for a model that generates invalid bytes.
const maxPending = 32

// maxContext bounds the tokens that are kept while the text never becomes complete, so that a long row takes linear
// time.
const maxContext = 4 * maxPending

// NewStream starts decoding a new row. Special tokens are left out.
func (t *Tokenizer) NewStream() *Stream { return &Stream{tokenizer: t} }

// Push takes the next token and returns the text that it completes: whole characters only, "" while a character is
// incomplete. Joined, the texts of all calls of Push and of Flush are what Decode returns for the row. (They may differ
// inside runs of byte tokens that are not valid UTF-8: in the number of U+FFFD, and in characters that Decode gives up
// together with their run.)
func (s *Stream) Push(id int32) string {
	if s.tokenizer.IsSpecial(id) {
		return ""
	}
	s.ids = append(s.ids, id)
	text := s.tokenizer.Decode(s.ids, true)
	if strings.HasSuffix(text, "\uFFFD") {
		if len(s.ids)-s.shown < maxPending {
			return ""
		}
		added := s.give(certain(text))
		s.dropContext(text)
		return added
	}
	added := s.give(text)
	s.ids = append(s.ids[:0], s.ids[s.context:]...)
	s.context, s.shown = len(s.ids), len(s.ids)
	s.given = s.tokenizer.Decode(s.ids, true)
	return added
}

// Flush returns the text that Push held back, with U+FFFD for a character that never became complete.
func (s *Stream) Flush() string { return s.give(s.tokenizer.Decode(s.ids, true)) }

// give returns the end of text, the text of ids, that has not been returned before.
func (s *Stream) give(text string) string {
	added := strings.TrimPrefix(text, s.given)
	s.given, s.shown = text, len(s.ids)
	return added
}

// dropContext drops the oldest of more than maxContext ids, up to a point where the two halves decode to the same text
// as the whole.
func (s *Stream) dropContext(text string) {
	if len(s.ids) <= maxContext {
		return
	}
	for split := len(s.ids) - maxPending; split < len(s.ids)-maxPending+4; split++ {
		rest := s.tokenizer.Decode(s.ids[split:], true)
		if s.tokenizer.Decode(s.ids[:split], true)+rest == text {
			s.ids = append(s.ids[:0], s.ids[split:]...)
			s.context, s.shown, s.given = 0, len(s.ids), certain(rest)
			return
		}
	}
}

// certain returns a text without the U+FFFD at its end that may stand for a character whose last byte is still to come.
func certain(text string) string {
	for range 3 {
		text = strings.TrimSuffix(text, "\uFFFD")
	}
	return text
}
