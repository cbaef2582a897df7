package pattern

import (
	"unicode/utf8"
)

// frame is a way that has not been tried: another beginning of the instruction at code, or the record that all ways of
// it have failed.
type frame struct {
	code      int32
	at        int32 // the place in the text; for a run the end that is tried next
	low, high int32 // a run: the ends that are tried
	last      int32 // a run: its longest end; the ends above high are known to fail
	done      bool  // not a way: all ways of the split have failed
}

// stretch is a part of a text.
type stretch struct{ low, high int32 }

// matcher matches one pattern in one text. For each run it keeps the last stretch of its class, and the last ends after
// which nothing matched; once much has been tried it also keeps for each split the places where it failed. Since a
// program has no captures, what failed at a place once fails there always.
type matcher struct {
	*Pattern
	text   string
	stack  []frame
	extent []stretch // by run: between low and high every character is in the class, and the one at high is not
	failed []stretch // by run: the ends for which what follows the run fails
	steps  int
	dead   []uint64 // a bit for each place and split; nil until much has been tried
}

func newMatcher(p *Pattern, text string) *matcher {
	m := &matcher{Pattern: p, text: text, extent: make([]stretch, p.runs), failed: make([]stretch, p.runs)}
	for i := range m.extent {
		m.extent[i], m.failed[i] = stretch{0, -1}, stretch{0, -1}
	}
	return m
}

// Scan calls found with each match in a text, from left to right, as Oniguruma's search does: an empty match counts
// unless it directly follows the match before. The text must be UTF-8.
func (p *Pattern) Scan(text string, found func(begin, end int)) {
	m := newMatcher(p, text)
	last := -1
	for from := 0; from <= len(text); {
		begin, end, ok := m.find(from)
		if !ok {
			return
		}
		if begin == end && end == last {
			_, size := utf8.DecodeRuneInString(text[from:])
			from += max(size, 1)
			continue
		}
		found(begin, end)
		from, last = end, end
	}
}

// find returns the first match at or after a place.
func (m *matcher) find(from int) (begin, end int, ok bool) {
	start := m.code[len(m.code)-1].other
	for {
		if m.first != nil {
			for from < len(m.text) {
				r, size := utf8.DecodeRuneInString(m.text[from:])
				if m.first.has(r) {
					break
				}
				from += size
			}
			if from >= len(m.text) {
				return 0, 0, false
			}
		}
		if end, ok := m.run(start, int32(from)); ok {
			return from, int(end), true
		}
		if from >= len(m.text) {
			return 0, 0, false
		}
		_, size := utf8.DecodeRuneInString(m.text[from:])
		from += size
	}
}

// run executes the program from an instruction at a place and returns where the match ends.
func (m *matcher) run(code, at int32) (int32, bool) {
	base := len(m.stack)
	for {
		if next, after, ok := m.step(code, at); ok {
			code, at = next, after
			if m.code[code].op == opMatch {
				m.stack = m.stack[:base]
				return at, true
			}
			continue
		}
		var ok bool
		if code, at, ok = m.back(base); !ok {
			return 0, false
		}
		if m.code[code].op == opMatch {
			m.stack = m.stack[:base]
			return at, true
		}
	}
}

// back returns to the last way that has not been tried.
func (m *matcher) back(base int) (code, at int32, ok bool) {
	for len(m.stack) > base {
		f := &m.stack[len(m.stack)-1]
		in := &m.code[f.code]
		switch {
		case f.done:
			m.mark(in.index, f.at)
		case in.op == opSplit:
			code, at = in.other, f.at
			m.stack = m.stack[:len(m.stack)-1]
			return code, at, true
		case in.lazy && f.at < f.high:
			_, size := utf8.DecodeRuneInString(m.text[f.at:])
			f.at += int32(size)
			return in.next, f.at, true
		case !in.lazy && f.at > f.low:
			_, size := utf8.DecodeLastRuneInString(m.text[:f.at])
			f.at -= int32(size)
			return in.next, f.at, true
		case in.max < 0:
			m.failed[in.index] = stretch{f.low, f.last}
		}
		m.stack = m.stack[:len(m.stack)-1]
	}
	return 0, 0, false
}

// mark records that a split fails at a place.
func (m *matcher) mark(split, at int32) {
	bit := int(at)*int(m.splits) + int(split)
	m.dead[bit>>6] |= 1 << (bit & 63)
}

// step executes one instruction; false: it fails here.
func (m *matcher) step(code, at int32) (int32, int32, bool) {
	in := &m.code[code]
	switch in.op {
	case opMatch:
		return code, at, true
	case opClass:
		if int(at) < len(m.text) {
			if r, size := utf8.DecodeRuneInString(m.text[at:]); in.class.has(r) {
				return in.next, at + int32(size), true
			}
		}
		return 0, 0, false
	case opSplit:
		return m.splitAt(code, at)
	case opRun:
		return m.runAt(code, at)
	case opLook:
		_, ok := m.run(in.other, at)
		return in.next, at, ok != in.negative
	case opBehind:
		r, size := utf8.DecodeLastRuneInString(m.text[:at])
		return in.next, at, (size > 0 && in.class.has(r)) != in.negative
	case opAtomic:
		end, ok := m.run(in.other, at)
		return in.next, end, ok
	}
	return in.next, at, m.isAt(in.anchor, int(at))
}

// splitAt takes the first way of a split that can begin with the next character, and keeps the other for later.
func (m *matcher) splitAt(code, at int32) (int32, int32, bool) {
	in := &m.code[code]
	one, two := true, true
	if in.first != nil || in.second != nil {
		r := rune(-1)
		if int(at) < len(m.text) {
			r, _ = utf8.DecodeRuneInString(m.text[at:])
		}
		one = in.first == nil || r >= 0 && in.first.has(r)
		two = in.second == nil || r >= 0 && in.second.has(r)
	}
	if !one {
		return in.other, at, two
	}
	if m.steps++; m.dead == nil && m.steps > 16*len(m.text)+1<<12 {
		m.dead = make([]uint64, (len(m.text)+1)*int(m.splits)/64+1)
	}
	if m.dead != nil {
		if bit := int(at)*int(m.splits) + int(in.index); m.dead[bit>>6]>>(bit&63)&1 != 0 {
			return 0, 0, false
		}
		m.stack = append(m.stack, frame{code: code, at: at, done: true})
	}
	if two {
		m.stack = append(m.stack, frame{code: code, at: at})
	}
	return in.next, at, true
}

// runAt takes the longest end of a run (the shortest of a lazy one) and keeps the others for later.
func (m *matcher) runAt(code, at int32) (int32, int32, bool) {
	in := &m.code[code]
	low, count := at, int32(0)
	for ; count < in.min; count++ {
		if int(low) >= len(m.text) {
			return 0, 0, false
		}
		r, size := utf8.DecodeRuneInString(m.text[low:])
		if !in.class.has(r) {
			return 0, 0, false
		}
		low += int32(size)
	}
	if in.max >= 0 {
		return m.limited(code, low, count)
	}
	extent := &m.extent[in.index]
	if low < extent.low || low > extent.high {
		high := low
		for int(high) < len(m.text) {
			if high == extent.low && extent.low <= extent.high {
				high = extent.high // the rest is known
				break
			}
			r, size := utf8.DecodeRuneInString(m.text[high:])
			if !in.class.has(r) {
				break
			}
			high += int32(size)
		}
		*extent = stretch{low, high}
	}
	high := extent.high
	if failed := m.failed[in.index]; failed.low <= failed.high && failed.high == high {
		switch {
		case in.possessive, failed.low <= low:
			return 0, 0, false
		default: // the ends from failed.low on are known to fail
			_, size := utf8.DecodeLastRuneInString(m.text[:failed.low])
			high = failed.low - int32(size)
		}
	}
	if in.possessive {
		low = high
	}
	if m.code[in.next].op != opMatch || in.lazy {
		m.stack = append(m.stack, frame{code: code, at: high, low: low, high: high, last: extent.high})
	}
	if in.lazy {
		m.stack[len(m.stack)-1].at = low
		return in.next, low, true
	}
	return in.next, high, true
}

// limited is runAt for a run with a maximum, of which count characters up to low have been read.
func (m *matcher) limited(code, low, count int32) (int32, int32, bool) {
	in := &m.code[code]
	high := low
	for ; count < in.max && int(high) < len(m.text); count++ {
		r, size := utf8.DecodeRuneInString(m.text[high:])
		if !in.class.has(r) {
			break
		}
		high += int32(size)
	}
	switch {
	case in.possessive || low == high:
		return in.next, high, true
	case in.lazy:
		m.stack = append(m.stack, frame{code: code, at: low, low: low, high: high})
		return in.next, low, true
	}
	if m.code[in.next].op != opMatch {
		m.stack = append(m.stack, frame{code: code, at: high, low: low, high: high})
	}
	return in.next, high, true
}

// isAt reports whether a place is the one that an anchor names; lines end before \n.
func (m *matcher) isAt(anchor byte, at int) bool {
	rest := m.text[at:]
	switch anchor {
	case 'A':
		return at == 0
	case 'z':
		return rest == ""
	case 'Z':
		return rest == "" || rest == "\n"
	case '^':
		return at == 0 || m.text[at-1] == '\n' && rest != ""
	case '$':
		return rest == "" || rest[0] == '\n'
	}
	before, _ := utf8.DecodeLastRuneInString(m.text[:at])
	after, _ := utf8.DecodeRuneInString(rest)
	boundary := (at > 0 && wordClass().has(before)) != (rest != "" && wordClass().has(after))
	return boundary == (anchor == 'b')
}
