package pattern

import (
	"slices"
	"sync"
	"unicode"
)

// span is a range of characters, both ends included.
type span struct{ low, high rune }

// set is a set of characters: sorted spans that neither overlap nor touch.
type set []span

// normal returns spans in any order as a set.
func normal(spans []span) set {
	slices.SortFunc(spans, func(a, b span) int { return int(a.low - b.low) })
	var out set
	for _, s := range spans {
		if last := len(out) - 1; last >= 0 && s.low <= out[last].high+1 {
			out[last].high = max(out[last].high, s.high)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// has reports whether a character is in the set.
func (s set) has(r rune) bool {
	return slices.ContainsFunc(s, func(s span) bool { return s.low <= r && r <= s.high })
}

// complement returns all other characters.
func (s set) complement() set {
	var out set
	next := rune(0)
	for _, span := range s {
		if next < span.low {
			out = append(out, struct{ low, high rune }{next, span.low - 1})
		}
		next = span.high + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, span{next, unicode.MaxRune})
	}
	return out
}

// intersect returns the characters of both sets.
func (s set) intersect(other set) set {
	return normal(slices.Concat(s.complement(), other.complement())).complement()
}

// fold adds every character that differs from one of the set only in case.
func (s set) fold() set {
	spans := slices.Clone(s)
	const lastCased = 0x1FFFF // letters with a case lie below
	for _, span := range s {
		for r := span.low; r <= min(span.high, lastCased); r++ {
			for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
				spans = append(spans, struct{ low, high rune }{other, other})
			}
		}
	}
	return normal(spans)
}

// tableSet returns the characters of a table of the package unicode.
func tableSet(tables ...*unicode.RangeTable) set {
	var spans []span
	add := func(low, high, stride rune) {
		if stride == 1 {
			spans = append(spans, span{low, high})
			return
		}
		for r := low; r <= high; r += stride {
			spans = append(spans, span{r, r})
		}
	}
	for _, table := range tables {
		for _, r := range table.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return normal(spans)
}

// class is a set of characters that is fast to ask: a bit for each character of the basic plane, spans for the rest.
type class struct {
	plane [1 << 10]uint64
	rest  set
}

func newClass(s set) *class {
	c := new(class)
	for _, span := range s {
		for r := span.low; r <= min(span.high, 0xFFFF); r++ {
			c.plane[r>>6] |= 1 << (r & 63)
		}
		if span.high > 0xFFFF {
			c.rest = append(c.rest, struct{ low, high rune }{max(span.low, 0x10000), span.high})
		}
	}
	return c
}

// has reports whether a character is in the class.
func (c *class) has(r rune) bool {
	if r < 0x10000 {
		return c.plane[r>>6]>>(r&63)&1 != 0
	}
	_, found := slices.BinarySearchFunc(c.rest, r, func(s span, r rune) int {
		switch {
		case s.high < r:
			return -1
		case s.low > r:
			return 1
		}
		return 0
	})
	return found
}

// The classes that have letters of their own. As in Oniguruma, \s is Unicode's white space and \w is letters, marks,
// decimal numbers and connectors with what Unicode counts as alphabetic.
func spaceSet() set { return tableSet(unicode.White_Space) }
func digitSet() set { return tableSet(unicode.Nd) }
func wordSet() set {
	latin := set{{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}} // ², ³, ¹ and the three fractions
	return normal(slices.Concat(latin, bracketWordSet()))
}

// bracketWordSet is what \w and [:word:] stand for in brackets, where Oniguruma leaves out ², ³, ¹ and the fractions.
func bracketWordSet() set {
	return tableSet(unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic)
}
func graphSet() set {
	return tableSet(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cf, unicode.Co)
}
func hexSet() set { return set{{'0', '9'}, {'A', 'F'}, {'a', 'f'}} }

// posixSet returns the set of a name in [:…:]; false for a name that is not known.
func posixSet(name string) (set, bool) {
	switch name {
	case "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "space", "upper", "xdigit":
		return namedSet(name)
	case "word":
		return bracketWordSet(), true
	case "punct": // \p{Punct} has no symbols
		return tableSet(unicode.P, unicode.S), true
	}
	return nil, false
}

// namedSet returns the set of a name in \p{…}; false for a name that is not known.
func namedSet(name string) (set, bool) {
	switch key := canonical(name); key {
	case "any":
		return set{{0, unicode.MaxRune}}, true
	case "ascii":
		return set{{0, 127}}, true
	case "alpha", "alphabetic":
		return tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic), true
	case "alnum":
		return tableSet(unicode.L, unicode.Nl, unicode.Other_Alphabetic, unicode.Nd), true
	case "digit":
		return digitSet(), true
	case "xdigit":
		return hexSet(), true
	case "space", "whitespace":
		return spaceSet(), true
	case "word":
		return wordSet(), true
	case "punct", "punctuation":
		return tableSet(unicode.P), true
	case "blank":
		return normal(append(tableSet(unicode.Zs), span{'\t', '\t'})), true
	case "graph":
		return graphSet(), true
	case "print":
		return normal(append(tableSet(unicode.Zs), graphSet()...)), true
	case "cntrl":
		return tableSet(unicode.Cc), true
	case "upper", "uppercase":
		return tableSet(unicode.Lu, unicode.Other_Uppercase), true
	case "lower", "lowercase":
		return tableSet(unicode.Ll, unicode.Other_Lowercase), true
	default:
		for _, tables := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts} {
			for known, table := range tables {
				if canonical(known) == key {
					return tableSet(table), true
				}
			}
		}
		for alias, known := range unicode.CategoryAliases {
			if canonical(alias) == key {
				return tableSet(unicode.Categories[known]), true
			}
		}
	}
	return nil, false
}

// canonical returns a property's name in lower case without blanks, hyphens and underscores, as names are compared.
func canonical(name string) string {
	out := make([]byte, 0, len(name))
	for _, c := range []byte(name) {
		switch {
		case c == ' ' || c == '-' || c == '_':
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// wordClass returns the class of \w, which \b asks for.
var wordClass = sync.OnceValue(func() *class { return newClass(wordSet()) })
