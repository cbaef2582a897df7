package normalform

import (
	"strings"
	"unicode/utf8"
)

// ReplaceInvalid replaces each invalid sequence of UTF-8 by one U+FFFD: the longest proper beginning of a character, or
// else a single byte, as Unicode recommends and Rust and Python do. (strings.ToValidUTF8 would write one U+FFFD for a
// whole run.)
func ReplaceInvalid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			size = invalidLen(text)
			b.WriteString("\uFFFD")
		} else {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// invalidLen returns how many bytes at the start of text, which starts with an invalid sequence, could begin a valid
// character; at least 1.
func invalidLen(text string) int {
	n := min(3, len(text))
	for ; n > 1; n-- {
		for _, rest := range []string{"\x80", "\x80\x80", "\xBF", "\xBF\xBF"} {
			if utf8.ValidString(text[:n]+rest) && utf8.RuneCountInString(text[:n]+rest) == 1 {
				return n
			}
		}
	}
	return n
}
