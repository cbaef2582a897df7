package tokenizer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is found in the text before the model sees it, such as </s> or <|im_start|>.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // matches only where no word character is beside it
	LStrip     bool   `json:"lstrip"`      // the match includes the white space before it
	RStrip     bool   `json:"rstrip"`      // the match includes the white space after it
	Normalized bool   `json:"normalized"`  // its normalised text is matched in the normalised text
	Special    bool   `json:"special"`     // Decode leaves it out on request

	length int // bytes of the text that is matched
}

// split calls, in the order of the text, plain for each stretch without added tokens (with its offset in text) and
// added for each added token: the first that begins, and of those that begin together the longest. As in the original
// library, a match inside white space that belongs to another match still counts. Tokens that skip reports true for
// are left in the text.
func (m *tokenMatcher) split(
	text string, skip func(addedToken) bool, plain func(stretch string, offset int), added func(id int32),
) {
	done, from := 0, 0
	stripped := 0 // the end of the last white space that RStrip included; no run is scanned twice
	for _, place := range slices.Backward(m.places(text)) {
		token, start := m.tokens[place.token], place.start
		if start < from {
			continue
		}
		end := start + token.length
		from = end
		if skip(token) || token.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
			continue
		}
		if token.LStrip {
			start = max(start, done)
			start = done + len(strings.TrimRightFunc(text[done:start], unicode.IsSpace))
		}
		if token.RStrip {
			if end >= stripped {
				stripped = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			}
			end = stripped
		}
		if done < start {
			plain(text[done:start], done)
		}
		added(int32(token.ID))
		done = end
	}
	if done < len(text) {
		plain(text[done:], done)
	}
}

// wordBefore reports whether text ends with a word character.
func wordBefore(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && isWord(r)
}

// wordAfter reports whether text begins with a word character.
func wordAfter(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return text != "" && isWord(r)
}

// isWord reports whether a character is a word character, the \w of regular expressions over Unicode.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Nl, r) ||
		unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Other_Alphabetic, r) || unicode.Is(unicode.Join_Control, r)
}
