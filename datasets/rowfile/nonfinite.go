package rowfile

import (
	"bufio"
	"bytes"
)

// JSON has no NaN and no Infinity, but Python's json and pandas write them. nonFiniteNumber takes their place in a
// text before it is parsed: a number that no program writes, which the decoder of rows reads as NaN. So a row may have
// them in columns that are not used.
const nonFiniteNumber = "0e-99999"

// nonFiniteWords are the words that nonFiniteNumber replaces; a minus sign before one stays.
var nonFiniteWords = [][]byte{[]byte("NaN"), []byte("Infinity")}

// nonFiniteWord returns the length of the word that a text begins with, or 0.
func nonFiniteWord(text []byte) int {
	for _, word := range nonFiniteWords {
		if bytes.HasPrefix(text, word) {
			return len(word)
		}
	}
	return 0
}

// replaceNonFinite returns a line with NaN and Infinity replaced outside its strings, which never span lines.
func replaceNonFinite(line []byte) []byte {
	if !bytes.Contains(line, nonFiniteWords[0]) && !bytes.Contains(line, nonFiniteWords[1]) {
		return line
	}
	var out []byte
	var state stringState
	for i := 0; i < len(line); i++ {
		if !state.inside {
			if n := nonFiniteWord(line[i:]); n > 0 {
				out = append(out, nonFiniteNumber...)
				i += n - 1
				continue
			}
		}
		state.step(line[i])
		out = append(out, line[i])
	}
	return out
}

// stringState tells whether the bytes of a JSON text are inside a string.
type stringState struct{ inside, escaped bool }

// step moves on by one byte.
func (s *stringState) step(b byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.inside && b == '\\':
		s.escaped = true
	case b == '"':
		s.inside = !s.inside
	}
}

// nonFinite reads a JSON text with NaN and Infinity replaced outside its strings.
type nonFinite struct {
	r     *bufio.Reader
	state stringState
	ready []byte // of the replacement of a word
	read  int    // bytes since the caller set it to 0
	limit int    // of read
}

// Read implements io.Reader.
func (f *nonFinite) Read(p []byte) (n int, err error) {
	if f.read > f.limit {
		return 0, tooLong(f.limit)
	}
	if len(f.ready) == 0 {
		if _, err := f.r.Peek(1); err != nil {
			return 0, err
		}
		text, _ := f.r.Peek(min(len(p), f.r.Buffered()))
		for n < len(text) {
			if b := text[n]; !f.state.inside && (b == 'N' || b == 'I') {
				break
			}
			f.state.step(text[n])
			n++
		}
		copy(p, text[:n])
		if n == 0 {
			word, _ := f.r.Peek(len("Infinity"))
			if n = nonFiniteWord(word); n == 0 {
				return 0, errNoValue
			}
			f.ready = []byte(nonFiniteNumber)
		}
		f.r.Discard(n)
		f.read += n
	}
	if len(f.ready) > 0 {
		n = copy(p, f.ready)
		f.ready = f.ready[n:]
	}
	return n, nil
}
