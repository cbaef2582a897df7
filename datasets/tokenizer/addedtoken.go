package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAddedToken bounds the text of an added token in bytes: the search for added tokens takes time in proportion to the
// longest.
const maxAddedToken = 1024

// addedToken is a token that is found in the text before the model sees it, such as </s> or <|im_start|>.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // matches only where no word character is beside it
	LStrip     bool   `json:"lstrip"`      // the match includes the white space before it
	RStrip     bool   `json:"rstrip"`      // the match includes the white space after it
	Normalized bool   `json:"normalized"`  // its normalised text is matched in the normalised text
	Special    bool   `json:"special"`     // Decode leaves it out on request
}

// tokenTrie finds added tokens in a text: the first match, and of matches that begin together the longest.
type tokenTrie struct {
	next   map[uint32]int32     // node<<8 | byte -> node; the root is 0
	token  map[int32]addedToken // node -> the token that ends there
	starts [256]bool            // by byte: does a token begin with it?
	nodes  int32
}

// add makes the trie find a token where pattern stands in a text.
func (t *tokenTrie) add(pattern string, token addedToken) error {
	if pattern == "" || len(pattern) > maxAddedToken {
		return fmt.Errorf("added token %d: its text has %d bytes; 1..%d are supported",
			token.ID, len(pattern), maxAddedToken)
	}
	if t.next == nil {
		t.next, t.token = make(map[uint32]int32), make(map[int32]addedToken)
	}
	node := int32(0)
	for i := range len(pattern) {
		if t.nodes >= 1<<23 {
			return errors.New("added tokens are longer than 8 MiB in total")
		}
		edge := uint32(node)<<8 | uint32(pattern[i])
		child, ok := t.next[edge]
		if !ok {
			t.nodes++
			child = t.nodes
			t.next[edge] = child
		}
		node = child
	}
	if old, ok := t.token[node]; ok {
		return fmt.Errorf("added tokens %d and %d have the same text %q", old.ID, token.ID, pattern)
	}
	t.token[node] = token
	t.starts[pattern[0]] = true
	return nil
}

// find returns the first match at or after from; ok is false when there is none.
func (t *tokenTrie) find(text string, from int) (token addedToken, start, end int, ok bool) {
	for start = from; start < len(text); start++ {
		if !t.starts[text[start]] {
			continue
		}
		node := int32(0)
		for i := start; i < len(text); i++ {
			child, more := t.next[uint32(node)<<8|uint32(text[i])]
			if !more {
				break
			}
			node = child
			if found, here := t.token[node]; here {
				token, end, ok = found, i+1, true
			}
		}
		if ok {
			return token, start, end, true
		}
	}
	return addedToken{}, 0, 0, false
}

// split calls, in the order of the text, plain for each stretch without added tokens (with its offset in text) and
// added for each added token. As in the original library, a match inside white space that belongs to another match
// still counts.
func (t *tokenTrie) split(text string, plain func(stretch string, offset int), added func(id int32)) {
	done, stripped := 0, 0 // stripped: the end of the last white space that RStrip included; no run is scanned twice
	for from := 0; ; {
		token, start, end, ok := t.find(text, from)
		if !ok {
			break
		}
		from = end
		if token.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
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

// wordBefore reports whether text ends with a word character.
func wordBefore(text string) bool {
	r, _ := utf8.DecodeLastRuneInString(text)
	return text != "" && isWord(r)
}

// wordAfter reports whether text begins with a word character.
func wordAfter(text string) bool {
	r, _ := utf8.DecodeRuneInString(text)
	return text != "" && isWord(r)
}

// isWord reports whether a character is a word character, the \w of regular expressions over Unicode.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.Is(unicode.Nd, r) || unicode.Is(unicode.Nl, r) ||
		unicode.Is(unicode.Pc, r) || unicode.Is(unicode.Other_Alphabetic, r) || unicode.Is(unicode.Join_Control, r)
}
