package pattern

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape parses what follows a backslash and stands for a set of characters; word is what \w stands for.
func (p *parser) escape(word func() set) (set, error) {
	if !p.more() {
		return nil, fmt.Errorf("a backslash ends the pattern")
	}
	switch c := p.char(); c {
	case 's':
		return spaceSet(), nil
	case 'S':
		return spaceSet().complement(), nil
	case 'd':
		return digitSet(), nil
	case 'D':
		return digitSet().complement(), nil
	case 'w':
		return word(), nil
	case 'W':
		return word().complement(), nil
	case 'h':
		return hexSet(), nil
	case 'H':
		return hexSet().complement(), nil
	case 'p', 'P':
		return p.property(c == 'P', word)
	case 'x', 'u':
		return p.code(c)
	default:
		if named := strings.IndexRune("trnvfae", c); named >= 0 {
			r := rune("\t\r\n\v\f\a\x1b"[named])
			return set{{r, r}}, nil
		}
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return nil, fmt.Errorf(`\%c is not supported`, c)
		}
		return set{{c, c}}, nil
	}
}

// property parses {NAME} or {^NAME} after \p or \P.
func (p *parser) property(negative bool, word func() set) (set, error) {
	name, _, found := strings.Cut(p.text[p.at:], "}")
	if !found || !strings.HasPrefix(name, "{") {
		return nil, fmt.Errorf(`\p without a name in braces`)
	}
	p.at += len(name) + 1
	name, not := strings.CutPrefix(name[1:], "^")
	if p.sets++; p.sets > maxSets {
		return nil, fmt.Errorf("more than %d character classes", maxSets)
	}
	s, known := namedSet(name)
	if !known {
		return nil, fmt.Errorf("the property %q is not known", name)
	}
	if canonical(name) == "word" {
		s = word()
	}
	if negative != not {
		s = s.complement()
	}
	return s, nil
}

// code parses the digits of \xHH, \x{H…} or \uHHHH.
func (p *parser) code(letter rune) (set, error) {
	digits := ""
	switch rest := p.text[p.at:]; {
	case letter == 'x' && strings.HasPrefix(rest, "{"):
		inside, _, found := strings.Cut(rest[1:], "}")
		if !found {
			return nil, fmt.Errorf(`\x{ does not end`)
		}
		digits = inside
		p.at += len(inside) + 2
	default:
		width := map[rune]int{'x': 2, 'u': 4}[letter]
		if len(rest) < width {
			return nil, fmt.Errorf(`\%c needs %d digits`, letter, width)
		}
		digits = rest[:width]
		p.at += width
	}
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || !utf8.ValidRune(rune(n)) || letter == 'x' && len(digits) == 2 && n > 127 {
		return nil, fmt.Errorf(`\%c%s is not the code of a character`, letter, digits)
	}
	return set{{rune(n), rune(n)}}, nil
}

// class parses what follows an opening bracket, up to and with the closing one.
func (p *parser) class(fold bool) (set, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("classes nest deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	if p.sets++; p.sets > maxSets {
		return nil, fmt.Errorf("more than %d character classes", maxSets)
	}
	negative := p.skip("^")
	var spans []span
	var whole set // of the parts before &&
	parts := 0
	for first := true; ; first = false {
		if !p.more() {
			return nil, fmt.Errorf("a character class is not closed")
		}
		if !first && p.peek("]") || p.peek("&&") {
			part := normal(spans)
			if parts > 0 {
				part = whole.intersect(part)
			}
			whole, spans, parts = part, nil, parts+1
			if p.skip("&&") {
				continue
			}
			p.at++
			break
		}
		s, err := p.classItem(fold)
		if err != nil {
			return nil, err
		}
		spans = append(spans, s...)
	}
	if fold {
		whole = whole.fold()
	}
	if negative {
		whole = whole.complement()
	}
	return whole, nil
}

// classItem parses a character, range, escape or inner class of a character class.
func (p *parser) classItem(fold bool) (set, error) {
	if name, ok := p.posixName(); ok {
		word, not := strings.CutPrefix(name, "^")
		s, known := posixSet(word)
		if !known {
			return nil, fmt.Errorf("the class [:%s:] is not known", name)
		}
		p.at += len(name) + len("[::]")
		if not {
			s = s.complement()
		}
		return s, nil
	}
	if p.skip("[") {
		return p.class(fold)
	}
	low, err := p.classChar()
	if err != nil || len(low) != 1 || low[0].low != low[0].high {
		return low, err
	}
	if !p.peek("-") || p.peek("-]") || p.peek("-[") || p.peek("-&&") {
		return low, nil
	}
	p.at++
	if !p.more() {
		return nil, fmt.Errorf("a character class is not closed")
	}
	high, err := p.classChar()
	if err != nil {
		return nil, err
	}
	if len(high) != 1 || high[0].low != high[0].high { // [a-\d]: the three by themselves
		return slices.Concat(low, set{{'-', '-'}}, high), nil
	}
	if high[0].low < low[0].low {
		return nil, fmt.Errorf("the range %c-%c is empty", low[0].low, high[0].low)
	}
	return set{{low[0].low, high[0].low}}, nil
}

// classChar parses a character or an escape.
func (p *parser) classChar() (set, error) {
	if p.skip(`\b`) {
		return set{{'\b', '\b'}}, nil
	}
	c := p.char()
	if c == '\\' {
		return p.escape(bracketWordSet)
	}
	return set{{c, c}}, nil
}

// posixName returns NAME of the class [:NAME:] that follows, if one does.
func (p *parser) posixName() (name string, ok bool) {
	rest, ok := strings.CutPrefix(p.text[p.at:], "[:")
	if !ok {
		return "", false
	}
	letters := len(rest) - len(strings.TrimLeft(rest, "^abcdefghijklmnopqrstuvwxyz"))
	return rest[:letters], letters > 0 && strings.HasPrefix(rest[letters:], ":]")
}
