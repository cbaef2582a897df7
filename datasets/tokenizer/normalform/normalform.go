// Package normalform puts texts in Unicode's normal forms as Hugging Face's tokenizers do, for any number of combining
// marks in a row, and replaces what is not UTF-8 as they do.
package normalform

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxMarks is a number of combining marks in a row up to which golang.org/x/text/unicode/norm is exact: after thirty it
// inserts U+034F.
const maxMarks = 24

// Of returns a text in one of Unicode's normal forms. A character that Unicode has only since version 10 and
// that decomposes stays as it is, since the original library's tables are of version 9; for NFC that makes no
// difference.
func Of(form norm.Form, text string) string {
	if form == norm.NFC {
		return plainForm(form, text)
	}
	var b strings.Builder
	for text != "" {
		at := strings.IndexFunc(text, decomposesLater)
		if at < 0 {
			break
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		b.WriteString(plainForm(form, text[:at]))
		b.WriteString(text[at : at+size])
		text = text[at+size:]
	}
	if b.Len() == 0 {
		return plainForm(form, text)
	}
	b.WriteString(plainForm(form, text))
	return b.String()
}

// decomposesLater reports whether a character that decomposes was added to Unicode after version 9.
func decomposesLater(r rune) bool {
	switch {
	case r < 0x32FF:
		return false
	case r == 0x32FF, r >= 0xA7F2 && r <= 0xA7F4, r == 0xAB69, r >= 0x10781 && r <= 0x107BA, r == 0x11938,
		r >= 0x1E030 && r <= 0x1E06D, r == 0x1F16C, r >= 0x1FBF0 && r <= 0x1FBF9:
		return true
	}
	return false
}

// plainForm is Of by the tables of golang.org/x/text.
func plainForm(form norm.Form, text string) string {
	if form.IsNormalString(text) && !manyMarks(text) {
		return text
	}
	if !manyMarks(text) {
		return form.String(text)
	}
	decomposed := norm.NFD
	if form == norm.NFKC || form == norm.NFKD {
		decomposed = norm.NFKD
	}
	marks := decompose(decomposed, text)
	if form == norm.NFC || form == norm.NFKC {
		marks = compose(marks)
	}
	var b strings.Builder
	for _, m := range marks {
		b.WriteRune(m.char)
	}
	return b.String()
}

// manyMarks reports whether a text has more than maxMarks combining marks in a row.
func manyMarks(text string) bool {
	run := 0
	for _, r := range text {
		if r < 0x300 {
			run = 0
			continue
		}
		if unicode.IsMark(r) {
			run++
		} else {
			run = 0
		}
		if run > maxMarks {
			return true
		}
	}
	return false
}

// mark is a character with its combining class.
type mark struct {
	char  rune
	class uint8
}

// decompose returns the characters of the decomposed form, in canonical order.
func decompose(form norm.Form, text string) []mark {
	var out []mark
	first := 0 // of the marks after the last starter
	for _, r := range text {
		for _, part := range form.String(string(r)) {
			class := norm.NFD.PropertiesString(string(part)).CCC()
			if class == 0 {
				sortMarks(out[first:])
				out = append(out, mark{part, 0})
				first = len(out)
			} else {
				out = append(out, mark{part, class})
			}
		}
	}
	sortMarks(out[first:])
	return out
}

func sortMarks(marks []mark) {
	slices.SortStableFunc(marks, func(a, b mark) int { return int(a.class) - int(b.class) })
}

// compose joins decomposed characters as NFC does: each with the last starter, unless a character between them has the
// same class or none.
func compose(marks []mark) []mark {
	out := marks[:0]
	starter, last := -1, -1 // last: the class of the character before, -1 directly after the starter
	for _, m := range marks {
		if starter >= 0 && (last < int(m.class) || last == -1) {
			if joined, ok := composePair(out[starter].char, m.char); ok {
				out[starter].char = joined
				continue
			}
		}
		out = append(out, m)
		if m.class == 0 {
			starter, last = len(out)-1, -1
		} else {
			last = int(m.class)
		}
	}
	return out
}

// composePair returns the character that two characters make up; false if there is none.
func composePair(a, b rune) (rune, bool) {
	joined := []rune(norm.NFC.String(string(a) + string(b)))
	if len(joined) == 1 {
		return joined[0], true
	}
	return 0, false
}
