package value

import (
	"strings"
	"unicode"
)

// IsSpace reports whether a character is white space to Python: unlike Go, it counts the separators 0x1c to 0x1f.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// isLineEnd reports whether a character ends a line for str.splitlines.
func isLineEnd(r rune) bool {
	switch r {
	case '\n', '\v', '\f', '\r', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
		return true
	}
	return false
}

// SplitLines splits a text as str.splitlines does.
func SplitLines(text string, keepEnds bool) (lines []string) {
	start := 0
	for i := 0; i < len(text); {
		r, size := decode(text[i:])
		if !isLineEnd(r) {
			i += size
			continue
		}
		end, next := i, i+size
		if r == '\r' && strings.HasPrefix(text[next:], "\n") {
			next++
		}
		if keepEnds {
			end = next
		}
		lines = append(lines, text[start:end])
		start, i = next, next
	}
	if start < len(text) {
		lines = append(lines, text[start:])
	}
	return lines
}

// Classes of characters that Python's methods ask about.
var (
	isCased = func(r rune) bool { return isUpper(r) || isLower(r) || unicode.IsTitle(r) }
	isUpper = func(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }
	isLower = func(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
)

// Predicate returns the test behind a method such as isdigit, and whether every character must pass it.
func Predicate(name string) func(text string) bool {
	every := func(ok func(rune) bool) func(string) bool {
		return func(text string) bool {
			return text != "" && strings.IndexFunc(text, func(r rune) bool { return !ok(r) }) < 0
		}
	}
	isAlpha := unicode.IsLetter
	isNumeric := func(r rune) bool { return unicode.IsNumber(r) || isHanNumber(r) }
	switch name {
	case "isalpha":
		return every(isAlpha)
	case "isdecimal":
		return every(unicode.IsDigit)
	case "isdigit":
		return every(isDigit)
	case "isnumeric":
		return every(isNumeric)
	case "isalnum":
		return every(func(r rune) bool { return isAlpha(r) || isNumeric(r) })
	case "isspace":
		return every(IsSpace)
	case "isascii":
		return func(text string) bool { return strings.IndexFunc(text, func(r rune) bool { return r > 127 }) < 0 }
	case "isprintable":
		return func(text string) bool {
			return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
		}
	case "isidentifier":
		return IsIdentifier
	case "isupper":
		return func(text string) bool { return isOneCase(text, isUpper, isLower) }
	case "islower":
		return func(text string) bool { return isOneCase(text, isLower, isUpper) }
	case "istitle":
		return isTitle
	}
	return nil
}

// isDigit reports whether a character is a digit to Python: decimal digits, and superscripts and their like.
func isDigit(r rune) bool {
	if unicode.IsDigit(r) {
		return true
	}
	switch {
	case r == 0xb2 || r == 0xb3 || r == 0xb9 || r == 0x2070 || r >= 0x2074 && r <= 0x2079 || r >= 0x2080 && r <= 0x2089:
		return true
	case r >= 0x2460 && r <= 0x2468 || r >= 0x2474 && r <= 0x247c || r >= 0x2488 && r <= 0x2490 || r == 0x24ea:
		return true
	case r >= 0x24f5 && r <= 0x24fd || r == 0x24ff || r >= 0x2776 && r <= 0x277e || r >= 0x2780 && r <= 0x2788:
		return true
	case r >= 0x278a && r <= 0x2792 || r >= 0x1369 && r <= 0x1371 || r == 0x19da:
		return true
	}
	return r >= 0x10a40 && r <= 0x10a43 || r >= 0x10e60 && r <= 0x10e68 || r >= 0x11052 && r <= 0x1105a ||
		r >= 0x1f100 && r <= 0x1f10a
}

// isHanNumber reports whether a Han character has a numeric value (the common ones of Unihan).
func isHanNumber(r rune) bool {
	return strings.ContainsRune("㐅㒃㠪㭍一七万三两九二五亖亿什仟仨伍佰億兆"+
		"兩八六十千卄卅卌叁参參叄四壱壹幺廾廿弌弍弎弐拾捌柒漆玖百肆"+
		"萬貮貳贰阡陆陌陸零", r)
}

// IsIdentifier reports whether a text is a name in Python.
func IsIdentifier(text string) bool {
	for i, r := range text {
		starts := r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r)
		if !starts && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
			return false
		}
	}
	return text != ""
}

func isOneCase(text string, want, other func(rune) bool) bool {
	cased := false
	for _, r := range text {
		if other(r) || unicode.IsTitle(r) {
			return false
		}
		cased = cased || want(r)
	}
	return cased
}

func isTitle(text string) bool {
	cased, before := false, false
	for _, r := range text {
		switch {
		case isUpper(r) || unicode.IsTitle(r):
			if before {
				return false
			}
			before, cased = true, true
		case isLower(r):
			if !before {
				return false
			}
			cased = true
		default:
			before = false
		}
	}
	return cased
}
