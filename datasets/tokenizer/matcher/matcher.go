// Package matcher finds the added tokens of a tokenizer in a text, such as </s> or <|im_start|>.
package matcher

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The limits of added tokens: published tokenizers have at most some ten thousand, of at most some hundred bytes.
const (
	maxAddedToken  = 1 << 10 // bytes of one
	maxAddedTokens = 2 << 20 // bytes of all
)

// Matcher finds added tokens in a text. It is an automaton of Aho and Corasick over the tokens written backwards:
// reading a text from its end, it knows at every place the longest token that begins there, in time that does not
// depend on the tokens.
type Matcher struct {
	tokens  []Token
	root    [256]int32 // the state after one byte from the root, which is state 0
	letter  []byte     // by state: the byte that leads to it
	child   []int32    // by state: its first child, 0 for none
	sibling []int32    // by state: the next child of its parent, 0 for none
	back    []int32    // by state: the longest proper suffix of it that is a state
	longest []int32    // by state: the longest token that ends here, as an index into tokens; -1: none
}

// place is where a token begins in a text.
type place struct{ start, token int }

// Add makes the matcher find a token where pattern stands in a text. After the last one, call Link.
func (m *Matcher) Add(pattern string, token Token) error {
	if pattern == "" || len(pattern) > maxAddedToken {
		return fmt.Errorf("added token %d: its text has %d bytes; 1..%d are supported",
			token.ID, len(pattern), maxAddedToken)
	}
	if len(m.letter) == 0 {
		m.newState(0)
	}
	if len(m.letter)+len(pattern) > maxAddedTokens {
		return fmt.Errorf("added tokens are longer than %d MiB in total", maxAddedTokens>>20)
	}
	state := int32(0)
	for i := len(pattern) - 1; i >= 0; i-- {
		next := m.next(state, pattern[i])
		if next == 0 {
			next = m.newState(pattern[i])
			if state == 0 {
				m.root[pattern[i]] = next
			} else {
				m.sibling[next], m.child[state] = m.child[state], next
			}
		}
		state = next
	}
	if old := m.longest[state]; old >= 0 {
		return fmt.Errorf("added tokens %d and %d have the same text %q", m.tokens[old].ID, token.ID, pattern)
	}
	m.longest[state] = int32(len(m.tokens))
	token.length = len(pattern)
	m.tokens = append(m.tokens, token)
	return nil
}

func (m *Matcher) newState(letter byte) int32 {
	m.letter, m.child, m.sibling = append(m.letter, letter), append(m.child, 0), append(m.sibling, 0)
	m.back, m.longest = append(m.back, 0), append(m.longest, -1)
	return int32(len(m.letter) - 1)
}

// next returns the state after a byte, 0 where the tokens do not go on so.
func (m *Matcher) next(state int32, letter byte) int32 {
	if state == 0 {
		return m.root[letter]
	}
	for s := m.child[state]; s != 0; s = m.sibling[s] {
		if m.letter[s] == letter {
			return s
		}
	}
	return 0
}

// Link completes the automaton: for each state, in the order of their lengths, where to go on when no child fits.
func (m *Matcher) Link() {
	var queue []int32
	for _, state := range m.root {
		if state != 0 {
			queue = append(queue, state)
		}
	}
	for len(queue) > 0 {
		parent := queue[0]
		queue = queue[1:]
		for s := m.child[parent]; s != 0; s = m.sibling[s] {
			m.back[s] = m.step(m.back[parent], m.letter[s])
			if m.longest[s] < 0 {
				m.longest[s] = m.longest[m.back[s]]
			}
			queue = append(queue, s)
		}
	}
}

// step returns the longest state that ends with a state and a byte.
func (m *Matcher) step(state int32, letter byte) int32 {
	for state != 0 {
		if next := m.next(state, letter); next != 0 {
			return next
		}
		state = m.back[state]
	}
	return m.root[letter]
}

// places returns, from the end of a text to its beginning, every place where a token begins, with the longest one.
func (m *Matcher) places(text string) (found []place) {
	if len(m.tokens) == 0 {
		return nil
	}
	state := int32(0)
	for i := len(text) - 1; i >= 0; i-- {
		if state == 0 {
			state = m.root[text[i]]
		} else {
			state = m.step(state, text[i])
		}
		if state != 0 && m.longest[state] >= 0 {
			found = append(found, place{i, int(m.longest[state])})
		}
	}
	return found
}

// Split calls, in the order of the text, plain for each stretch without added tokens (with its offset in text) and
// added for each added token: the first that begins, and of those that begin together the longest. As in the original
// library, a match inside white space that belongs to another match still counts. Tokens that skip reports true for
// are left in the text.
func (m *Matcher) Split(
	text string, skip func(Token) bool, plain func(stretch string, offset int), added func(id int32),
) {
	done, from := 0, 0
	stripped := 0 // the end of the last white space that RStrip included; no run is scanned twice
	for _, place := range slices.Backward(m.places(text)) {
		token, start := m.tokens[place.token], place.start
		if start < from {
			continue
		}
		end := start + token.length
		from = end
		if skip(token) || token.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
			continue
		}
		if token.LStrip {
			start = max(start, done)
			start = done + len(strings.TrimRightFunc(text[done:start], unicode.IsSpace))
		}
		if token.RStrip {
			if end >= stripped {
				stripped = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
			}
			end = stripped
		}
		if start >= end {
			continue // all of it is white space that belongs to the match before
		}
		if done < start {
			plain(text[done:start], done)
		}
		added(int32(token.ID))
		done = end
	}
	if done < len(text) {
		plain(text[done:], done)
	}
}
