package metric

import (
	"strings"
	"unicode"
)

// IsSpace reports whether Python's str.isspace takes a character for white space.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// ngrams counts the sequences of n consecutive words.
func ngrams(words []string, n int) map[string]int {
	counts := map[string]int{}
	for i := 0; i+n <= len(words); i++ {
		counts[strings.Join(words[i:i+n], " ")]++ // no word contains a space
	}
	return counts
}

// countCommon counts the n-grams that a and b have in common.
func countCommon(a, b map[string]int) int {
	n := 0
	for gram, count := range a {
		n += min(count, b[gram])
	}
	return n
}
