package pattern

import (
	"strings"
	"unicode/utf8"
)

// The limits of a pattern: published ones have some 200 characters and repeat at most three times.
const (
	maxPattern = 1 << 14
	maxDepth   = 64
	maxRepeat  = 256
	maxSets    = 512
)

// parser reads a pattern in the Ruby syntax of Oniguruma.
type parser struct {
	text  string
	at    int
	depth int
	sets  int // classes and properties so far
}

func (p *parser) more() bool { return p.at < len(p.text) }

// peek reports whether the rest begins with a text.
func (p *parser) peek(text string) bool { return strings.HasPrefix(p.text[p.at:], text) }

// skip moves over a text if the rest begins with it.
func (p *parser) skip(text string) bool {
	if p.peek(text) {
		p.at += len(text)
		return true
	}
	return false
}

// char returns the next character and moves over it.
func (p *parser) char() rune {
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += size
	return r
}
