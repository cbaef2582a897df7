package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// maxTokens bounds the ids of a tokenizer file. The largest published vocabulary known, XLM-V, has 901,629 tokens.
const maxTokens = 1 << 20

// vocabulary maps the text of a token to its id and back. Texts are as the file spells them: byte-level models write
// each byte as a letter.
type vocabulary struct {
	ids    map[string]int32
	tokens []string // by id
	used   []bool   // by id: is there such a token? Ids may have gaps.
}

// UnmarshalJSON reads {"token": id, …}. Unlike encoding/json it refuses a token that appears twice and an id that two
// tokens share.
func (v *vocabulary) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if open, err := d.Token(); err != nil {
		return err
	} else if open != json.Delim('{') {
		return errors.New("vocab is not an object of token: id")
	}
	v.ids = make(map[string]int32, bytes.Count(data, []byte(",")))
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		text := key.(string)
		var id int64
		if err := d.Decode(&id); err != nil {
			return fmt.Errorf("vocab: id of %q: %w", text, jsontype.Describe(nil, err))
		}
		if err := v.add(text, id); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// add adds a token; its text and its id must be new.
func (v *vocabulary) add(text string, id int64) error {
	if id < 0 || id >= maxTokens {
		return fmt.Errorf("token %q has id %d; ids must lie in 0..%d", text, id, maxTokens-1)
	}
	if old, ok := v.ids[text]; ok {
		return fmt.Errorf("token %q has two ids, %d and %d", text, old, id)
	}
	if n := int(id) + 1; n > len(v.tokens) {
		v.tokens = append(v.tokens, make([]string, n-len(v.tokens))...)
		v.used = append(v.used, make([]bool, n-len(v.used))...)
	}
	if v.used[id] {
		return fmt.Errorf("id %d belongs to two tokens, %q and %q", id, v.tokens[id], text)
	}
	if v.ids == nil {
		v.ids = make(map[string]int32)
	}
	v.ids[text], v.tokens[id], v.used[id] = int32(id), text, true
	return nil
}

// text returns the token of an id; false for an id that is not in the vocabulary.
func (v *vocabulary) text(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.tokens) || !v.used[id] {
		return "", false
	}
	return v.tokens[id], true
}

// byteLetters returns the letters that byte-level BPE writes for the 256 byte values, so that vocabulary files need no
// white space or control characters: a printable Latin-1 character stands for itself, and U+0100+n for the n-th other
// byte (GPT-2's table).
func byteLetters() (letters [256]rune) {
	next := rune(0x100)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			letters[b] = rune(b)
			continue
		}
		letters[b] = next
		next++
	}
	return letters
}

// byteSpeller returns a function that writes each byte of a text as its letter.
func byteSpeller() func(text string) string {
	letters := byteLetters()
	return func(text string) string {
		var b strings.Builder
		for i := range len(text) {
			b.WriteRune(letters[text[i]])
		}
		return b.String()
	}
}

// letterBytes is the inverse of byteLetters.
func letterBytes() map[rune]byte {
	inverse := make(map[rune]byte, 256)
	for b, letter := range byteLetters() {
		inverse[letter] = byte(b)
	}
	return inverse
}

// lettersToBytes turns the letters of a byte-level token into bytes; false when a character stands for no byte.
func lettersToBytes(inverse map[rune]byte, text string) (string, bool) {
	raw := make([]byte, 0, len(text))
	for _, letter := range text {
		b, ok := inverse[letter]
		if !ok {
			return "", false
		}
		raw = append(raw, b)
	}
	return string(raw), true
}

// rawBytes maps the bytes of each byte-level token to its id.
func (v *vocabulary) rawBytes() map[string]int32 {
	inverse := letterBytes()
	raw := make(map[string]int32, len(v.ids))
	for text, id := range v.ids {
		if bytes, ok := lettersToBytes(inverse, text); ok {
			raw[bytes] = id
		}
	}
	return raw
}

func (v *vocabulary) clone() vocabulary {
	return vocabulary{maps.Clone(v.ids), slices.Clone(v.tokens), slices.Clone(v.used)}
}
