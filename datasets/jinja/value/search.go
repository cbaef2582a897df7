package value

import (
	"slices"
	"strings"
)

// shortPattern is the length of patterns that the standard library finds in time that is linear in the text.
const shortPattern = 63

// searcher finds a pattern in texts by the algorithm of Knuth, Morris and Pratt, where the standard library may take
// time that grows with the product of both lengths.
type searcher struct {
	meter *Meter
	sub   string
	back  []int32 // by length of a prefix of sub: the length of its longest proper suffix that is a prefix, too
}

// Find is strings.Index, in linear time that is charged.
func Find(m *Meter, text, sub string) int {
	m.Step(len(text) / 16)
	return (&searcher{meter: m, sub: sub}).find(text)
}

// FindLast is strings.LastIndex, in linear time that is charged.
func FindLast(m *Meter, text, sub string) int {
	m.Step(len(text) / 16)
	if len(sub) <= shortPattern || len(sub) > len(text) {
		return strings.LastIndex(text, sub)
	}
	m.Text(len(text) + len(sub))
	at := (&searcher{meter: m, sub: backwards(sub)}).find(backwards(text))
	if at < 0 {
		return -1
	}
	return len(text) - at - len(sub)
}

// Count is strings.Count, in linear time that is charged.
func Count(m *Meter, text, sub string) (n int) {
	m.Step(len(text) / 16)
	if len(sub) <= shortPattern {
		n = strings.Count(text, sub)
		m.Step(n)
		return n
	}
	for s := (&searcher{meter: m, sub: sub}); ; n++ {
		at := s.find(text)
		if at < 0 {
			return n
		}
		m.Step(1)
		text = text[at+len(sub):]
	}
}

func backwards(text string) string {
	bytes := []byte(text)
	slices.Reverse(bytes)
	return string(bytes)
}

func (s *searcher) find(text string) int {
	if len(s.sub) <= shortPattern {
		return strings.Index(text, s.sub)
	}
	at := strings.Index(text, s.sub[:shortPattern])
	if at < 0 || len(text)-at < len(s.sub) {
		return -1
	}
	s.meter.Read(len(s.sub))
	if strings.HasPrefix(text[at:], s.sub) {
		return at
	}
	s.link()
	n := int32(0)
	for i := at; i < len(text); i++ {
		if n = s.step(n, text[i]); int(n) == len(s.sub) {
			return i + 1 - len(s.sub)
		}
	}
	return -1
}

// link makes the table of the pattern.
func (s *searcher) link() {
	if s.back != nil {
		return
	}
	s.meter.Step(len(s.sub) / 16)
	s.meter.grow(4 * len(s.sub))
	s.back = make([]int32, len(s.sub)+1)
	for i := 1; i < len(s.sub); i++ {
		s.back[i+1] = s.step(s.back[i], s.sub[i])
	}
}

// step returns how much of the pattern ends with a byte after n bytes of it.
func (s *searcher) step(n int32, letter byte) int32 {
	for n > 0 && s.sub[n] != letter {
		n = s.back[n]
	}
	if s.sub[n] == letter {
		n++
	}
	return n
}
