package pattern

import (
	"fmt"
	"strconv"
	"strings"
)

// The kinds of nodes of a parsed pattern.
type kind uint8

const (
	kindClass  kind = iota // one character of a set
	kindSeries             // subs one after the other; none of them is the empty text
	kindChoice             // the first of subs that leads to a match
	kindRepeat             // subs[0] from min to max times
	kindAtomic             // subs[0], which is not tried another way later
	kindLook               // subs[0] matches, or not, after (or before) this place
	kindAnchor             // a place: one of A z Z ^ $ b B
)

// node is a part of a parsed pattern.
type node struct {
	kind     kind
	set      set
	subs     []*node
	min, max int // kindRepeat; max -1: no limit
	lazy     bool
	negative bool // kindLook: must not match
	behind   bool // kindLook: before this place
	anchor   byte // kindAnchor
}

// choice parses alternatives up to the end of the group.
func (p *parser) choice(fold bool) (*node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("groups nest deeper than %d", maxDepth)
	}
	defer func() { p.depth-- }()
	var branches []*node
	for {
		branch, rest, err := p.series(fold)
		if err != nil {
			return nil, err
		}
		fold = rest
		branches = append(branches, branch)
		if !p.skip("|") {
			break
		}
	}
	if len(branches) == 1 {
		return branches[0], nil
	}
	return &node{kind: kindChoice, subs: branches}, nil
}

// series parses items up to | or the end of the group. It returns whether case is ignored at its end, which (?i)
// changes.
func (p *parser) series(fold bool) (*node, bool, error) {
	out := &node{kind: kindSeries}
	for p.more() && !p.peek("|") && !p.peek(")") {
		if on := p.skip("(?i)"); on || p.skip("(?-i)") {
			fold = on
			continue
		}
		item, err := p.item(fold)
		if err != nil {
			return nil, fold, err
		}
		if item, err = p.repeats(item); err != nil {
			return nil, fold, err
		}
		if fold && joinedFold(out.subs, item) {
			return nil, fold, fmt.Errorf("two letters that one character may stand for when case is ignored")
		}
		out.subs = append(out.subs, item)
	}
	return out, fold, nil
}

// joinedFold reports whether the last of items and the next one are letters such as ss, which Oniguruma also finds in
// a single character (ß) when case is ignored.
func joinedFold(items []*node, next *node) bool {
	if len(items) == 0 {
		return false
	}
	last := items[len(items)-1]
	if last.kind != kindClass || next.kind != kindClass || len(last.set) > 4 || len(next.set) > 4 {
		return false
	}
	for _, pair := range []string{"ss", "ff", "fi", "fl", "st"} {
		if last.set.has(rune(pair[0])) && next.set.has(rune(pair[1])) {
			return true
		}
	}
	return false
}

// item parses a character, class, group or anchor.
func (p *parser) item(fold bool) (*node, error) {
	switch c := p.char(); c {
	case '(':
		return p.group(fold)
	case '[':
		s, err := p.class(fold)
		return &node{kind: kindClass, set: s}, err
	case '.':
		return &node{kind: kindClass, set: set{{'\n', '\n'}}.complement()}, nil
	case '^', '$':
		return &node{kind: kindAnchor, anchor: byte(c)}, nil
	case '*', '+', '?':
		return nil, fmt.Errorf("%q repeats nothing", c)
	case '\\':
		if p.more() && strings.ContainsRune("AzZbB", rune(p.text[p.at])) {
			p.at++
			return &node{kind: kindAnchor, anchor: p.text[p.at-1]}, nil
		}
		s, err := p.escape(wordSet)
		return literal(s, fold), err
	default:
		return literal(set{{c, c}}, fold), nil
	}
}

// literal is the node of a set, and with fold of the characters that differ in case.
func literal(s set, fold bool) *node {
	if fold {
		s = s.fold()
	}
	return &node{kind: kindClass, set: s}
}

// group parses what follows an opening parenthesis.
func (p *parser) group(fold bool) (*node, error) {
	out := (*node)(nil)
	switch {
	case p.skip("?:"):
	case p.skip("?i:"):
		fold = true
	case p.skip("?-i:"):
		fold = false
	case p.skip("?>"):
		out = &node{kind: kindAtomic}
	case p.skip("?="):
		out = &node{kind: kindLook}
	case p.skip("?!"):
		out = &node{kind: kindLook, negative: true}
	case p.skip("?<="):
		out = &node{kind: kindLook, behind: true}
	case p.skip("?<!"):
		out = &node{kind: kindLook, negative: true, behind: true}
	case p.skip("?<"), p.skip("?'"):
		end := strings.IndexAny(p.text[p.at:], ">'")
		if end < 0 {
			return nil, fmt.Errorf("the name of a group does not end")
		}
		p.at += end + 1
	case p.peek("?"):
		return nil, fmt.Errorf("the group (%.8s is not supported", p.text[p.at:])
	}
	body, err := p.choice(fold)
	if err != nil {
		return nil, err
	}
	if !p.skip(")") {
		return nil, fmt.Errorf("a group is not closed")
	}
	if out == nil {
		return body, nil
	}
	out.subs = []*node{body}
	return out, nil
}

// repeats parses the repetitions after an item.
func (p *parser) repeats(item *node) (*node, error) {
	for p.more() {
		low, high, braces := 0, -1, false
		switch {
		case p.skip("*"):
		case p.skip("+"):
			low = 1
		case p.skip("?"):
			high = 1
		case p.peek("{"):
			var ok bool
			if low, high, ok = p.braces(); !ok {
				return item, nil // an opening brace that begins no count is a character
			}
			braces = true
		default:
			return item, nil
		}
		if low > maxRepeat || high > maxRepeat || high >= 0 && high < low {
			return nil, fmt.Errorf("a repetition of %d to %d times; at most %d are supported", low, high, maxRepeat)
		}
		if item.kind == kindLook || item.kind == kindAnchor {
			return nil, fmt.Errorf("a place, which has no length, is repeated")
		}
		item = &node{kind: kindRepeat, subs: []*node{item}, min: low, max: high}
		switch {
		case p.peek("?") && braces && low == high:
			return nil, fmt.Errorf("{%d}? is not supported", low)
		case p.skip("?"):
			item.lazy = true
		case !braces && p.skip("+"):
			item = &node{kind: kindAtomic, subs: []*node{item}}
		}
		if p.depth++; p.depth > 8*maxDepth {
			return nil, fmt.Errorf("more than %d repetitions", 8*maxDepth)
		}
	}
	return item, nil
}

// braces parses {m}, {m,}, {,n} or {m,n}; ok is false, and nothing is read, if it is none of them.
func (p *parser) braces() (low, high int, ok bool) {
	inside, _, found := strings.Cut(p.text[p.at+1:], "}")
	first, second, two := strings.Cut(inside, ",")
	if !found || first == "" && second == "" {
		return 0, 0, false
	}
	number := func(text string, empty int) int {
		if text == "" {
			return empty
		}
		n, err := strconv.ParseUint(text, 10, 20)
		if err != nil {
			ok = false
		}
		return int(n)
	}
	ok = true
	low, high = number(first, 0), number(second, -1)
	if !two {
		high = low
	}
	if ok {
		p.at += len(inside) + 2
	}
	return low, high, ok
}
