package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// unescape returns the text of a string literal without its quotes. Jinja first turns characters beyond ASCII into
// escapes and then decodes all escapes, so a backslash before such a character escapes a backslash.
func unescape(line int, literal string) string {
	if !strings.Contains(literal, `\`) {
		return literal
	}
	var b strings.Builder
	for literal != "" {
		before, rest, found := strings.Cut(literal, `\`)
		b.WriteString(before)
		if !found {
			break
		}
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case r >= utf8.RuneSelf:
			escape := strconv.FormatInt(int64(r), 16)
			switch {
			case r < 0x100:
				escape = "x" + escape
			case r < 0x10000:
				escape = "u" + strings.Repeat("0", 4-len(escape)) + escape
			default:
				escape = "U" + strings.Repeat("0", 8-len(escape)) + escape
			}
			b.WriteString(`\` + escape)
		default:
			var text string
			text, n = unescapeOne(line, rest)
			b.WriteString(text)
		}
		literal = rest[n:]
	}
	return b.String()
}

// unescapeOne returns the text of the escape whose backslash is before rest, and its length.
func unescapeOne(line int, rest string) (string, int) {
	simple := map[byte]string{'\n': "", '\\': `\`, '\'': "'", '"': `"`, 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n",
		'r': "\r", 't': "\t", 'v': "\v"}
	c := rest[0]
	if text, ok := simple[c]; ok {
		return text, 1
	}
	switch c {
	case 'x':
		return hexEscape(line, rest, 2), 3
	case 'u':
		return hexEscape(line, rest, 4), 5
	case 'U':
		return hexEscape(line, rest, 8), 9
	case 'N':
		fail(line, `the escape \N is not supported`)
	}
	n := 0
	for n < 3 && n < len(rest) && rest[n] >= '0' && rest[n] <= '7' {
		n++
	}
	if n == 0 {
		return `\` + rest[:1], 1
	}
	code, _ := strconv.ParseInt(rest[:n], 8, 32)
	return string(rune(code)), n
}

func hexEscape(line int, rest string, digits int) string {
	if len(rest) > digits {
		code, err := strconv.ParseUint(rest[1:1+digits], 16, 32)
		if err == nil && code <= utf8.MaxRune {
			if code >= 0xd800 && code < 0xe000 {
				fail(line, `the escape \%s is half of a surrogate pair, which is not supported`, rest[:1+digits])
			}
			return string(rune(code))
		}
	}
	fail(line, `a string literal has an incomplete escape \%c`, rest[0])
	return ""
}

// number returns the value of a number literal.
func number(line int, text string) value.Value {
	plain := strings.ReplaceAll(text, "_", "")
	n, ok := value.ParseInt(plain, 0)
	if !ok {
		fail(line, "the number %.40s is not valid", text)
	}
	return n
}

func float(line int, text string) value.Value {
	f, ok := value.ParseFloat(text)
	if !ok {
		fail(line, "the number %.40s is not valid", text)
	}
	return f
}
