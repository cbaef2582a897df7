package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The word patterns of published byte-level tokenizers, as their files write them. The scanners below match the same
// words.
const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|` +
		` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|` +
		` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// gpt2Word returns the length of the match of gpt2Pattern at the start of text.
func gpt2Word(text string) int {
	if n := contraction(text, func(r rune) rune { return r }); n > 0 {
		return n
	}
	lead := 0 // a leading space
	if text[0] == ' ' {
		lead = 1
	}
	r, size := utf8.DecodeRuneInString(text[lead:])
	for _, class := range []func(rune) bool{unicode.IsLetter, unicode.IsNumber, isSymbol} {
		if size > 0 && class(r) {
			return lead + size + prefixLen(text[lead+size:], class)
		}
	}
	return spaceWord(text)
}

// llama3Word returns the length of the match of llama3Pattern (digits 3) or qwen2Pattern (digits 1) at the start of
// text.
func llama3Word(text string, digits int) int {
	if n := contraction(text, foldASCII); n > 0 {
		return n
	}
	r, size := utf8.DecodeRuneInString(text)
	if unicode.IsLetter(r) {
		return size + prefixLen(text[size:], unicode.IsLetter)
	}
	if !unicode.IsNumber(r) && r != '\r' && r != '\n' {
		if n := prefixLen(text[size:], unicode.IsLetter); n > 0 {
			return size + n
		}
	}
	if unicode.IsNumber(r) {
		n := size
		for range digits - 1 {
			r, size := utf8.DecodeRuneInString(text[n:])
			if size == 0 || !unicode.IsNumber(r) {
				break
			}
			n += size
		}
		return n
	}
	lead := 0 // a leading space
	if r == ' ' {
		lead = 1
	}
	if n := prefixLen(text[lead:], isSymbol); n > 0 {
		n += lead
		return n + prefixLen(text[n:], isLineEnd)
	}
	space := prefixLen(text, unicode.IsSpace)
	if end := strings.LastIndexAny(text[:space], "\r\n"); end >= 0 {
		return end + 1
	}
	return spaceWord(text)
}

// spaceWord returns the length of the match of \s+(?!\S)|\s+ at the start of text: a run of white space, without its
// last character where a word follows, since that character may belong to the word.
func spaceWord(text string) int {
	n := prefixLen(text, unicode.IsSpace)
	if n == len(text) {
		return n
	}
	_, last := utf8.DecodeLastRuneInString(text[:n])
	if n > last {
		return n - last
	}
	return n
}

// contraction returns the length of an English clitic ('s 't 're 've 'm 'll 'd) at the start of text, else 0.
func contraction(text string, fold func(rune) rune) int {
	if text[0] != '\'' {
		return 0
	}
	a, n := utf8.DecodeRuneInString(text[1:])
	b, m := utf8.DecodeRuneInString(text[1+n:])
	switch fold(a) {
	case 's', 't', 'm', 'd':
		return 1 + n
	case 'r', 'v':
		if fold(b) == 'e' {
			return 1 + n + m
		}
	case 'l':
		if fold(b) == 'l' {
			return 1 + n + m
		}
	}
	return 0
}

// foldASCII maps a letter to lower case as (?i) compares it: U+017F, the long s, counts as an s.
func foldASCII(r rune) rune {
	if r == 'ſ' {
		return 's'
	}
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// isSymbol reports whether a character is neither white space nor a letter nor a number.
func isSymbol(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
}

func isLineEnd(r rune) bool { return r == '\r' || r == '\n' }

// prefixLen returns the length in bytes of the leading characters of text that belong to a class.
func prefixLen(text string, class func(rune) bool) int {
	for i, r := range text {
		if !class(r) {
			return i
		}
	}
	return len(text)
}
