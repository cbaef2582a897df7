// Package vocabulary holds the tokens of a byte-pair encoding: their texts, ids and merges.
package vocabulary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// MaxTokens bounds the ids of a tokenizer file. Published vocabularies of byte-pair encoding have up to 262,208 tokens.
const MaxTokens = 1 << 19

// Table maps the text of a token to its id and back. Texts are as the file spells them: byte-level models write each
// byte as a letter. The ids are in a hash table with open addressing over one string of all texts, which takes a
// quarter of the memory of a map of strings.
type Table struct {
	texts strings.Builder // of all tokens, one after another
	spans []span          // by id; ids may have gaps
	count int             // of the tokens
	slots []int32         // the hash table: an id + 1, 0 for none. Their number is a power of two.
	seed  maphash.Seed    // of the hash
}

// span is where a token's text lies.
type span struct{ begin, past int32 } // past: the end + 1; 0: there is no such token

// New returns an empty vocabulary with room for a number of tokens.
func New(size int) *Table {
	v := &Table{seed: maphash.MakeSeed(), spans: make([]span, 0, size)}
	v.setSlots(size)
	return v
}

// setSlots makes the hash table anew, at most two thirds full with a number of tokens.
func (v *Table) setSlots(tokens int) {
	v.slots = make([]int32, slotsFor(tokens))
	for id := range v.spans {
		if text, ok := v.Text(int32(id)); ok {
			*v.slot(text) = int32(id) + 1
		}
	}
}

// slot returns the place of a text in the hash table: the one that holds its id, or a free one.
func (v *Table) slot(text string) *int32 {
	mask := uint64(len(v.slots) - 1)
	for i := maphash.String(v.seed, text) & mask; ; i = (i + 1) & mask {
		if v.slots[i] == 0 {
			return &v.slots[i]
		}
		if other, _ := v.Text(v.slots[i] - 1); other == text {
			return &v.slots[i]
		}
	}
}

// ID returns the id of a token; false for a text that is no token.
func (v *Table) ID(text string) (int32, bool) {
	id := *v.slot(text) - 1
	return id, id >= 0
}

// Text returns the token of an id; false for an id that is not in the vocabulary.
func (v *Table) Text(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.spans) || v.spans[id].past == 0 {
		return "", false
	}
	return v.texts.String()[v.spans[id].begin : v.spans[id].past-1], true
}

// Count returns the number of tokens.
func (v *Table) Count() int { return v.count }

// Size returns the highest id + 1.
func (v *Table) Size() int { return len(v.spans) }

// UnmarshalJSON reads {"token": id, …}. Unlike encoding/json it refuses a token that appears twice and an id that two
// tokens share.
func (v *Table) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if open, err := d.Token(); err != nil {
		return err
	} else if open != json.Delim('{') {
		return errors.New("vocab is not an object of token: id")
	}
	*v = *New(min(bytes.Count(data, []byte(",")), MaxTokens))
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		text := key.(string)
		id, err := readID(d)
		if err != nil {
			return fmt.Errorf("vocab: id of %q: %w", text, err)
		}
		if err := v.Add(text, id); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// readID reads a whole number. The error about any other value says what it is.
func readID(d *json.Decoder) (id int64, err error) {
	token, err := d.Token()
	if err != nil {
		return 0, err
	}
	if bracket, ok := token.(json.Delim); ok {
		return 0, fmt.Errorf("want a whole number, have %v", bracket)
	}
	raw, err := json.Marshal(token)
	if err != nil {
		return 0, err
	}
	if string(raw) == "null" {
		return 0, errors.New("want a whole number, have null")
	}
	return id, jsontype.Unmarshal(raw, &id)
}

// Add adds a token; its text and its id must be new.
func (v *Table) Add(text string, id int64) error {
	if err := CheckID(text, id); err != nil {
		return err
	}
	if old, ok := v.ID(text); ok {
		return fmt.Errorf("token %q has two ids, %d and %d", text, old, id)
	}
	if other, ok := v.Text(int32(id)); ok {
		return fmt.Errorf("id %d belongs to two tokens, %q and %q", id, other, text)
	}
	if v.texts.Len()+len(text) >= math.MaxInt32 {
		return errors.New("the texts of the vocabulary have more than 2 GiB")
	}
	v.put(text, int32(id))
	return nil
}

// put adds a token whose text and id are new and in bounds.
func (v *Table) put(text string, id int32) {
	if n := int(id) + 1; n > len(v.spans) {
		v.spans = append(v.spans, make([]span, n-len(v.spans))...)
	}
	begin := v.texts.Len()
	if v.count++; v.count+v.count/2 >= len(v.slots) { // a search ends at a free slot
		v.setSlots(2 * v.count)
	}
	v.texts.WriteString(text)
	v.spans[id] = span{int32(begin), int32(v.texts.Len()) + 1}
	*v.slot(text) = id + 1
}

// CheckID refuses an id that no vocabulary has.
func CheckID(text string, id int64) error {
	if id < 0 || id >= MaxTokens {
		return fmt.Errorf("token %q has id %d; ids must lie in 0..%d", text, id, MaxTokens-1)
	}
	return nil
}

// RawBytes returns the byte-level tokens, under their ids, as the bytes that they stand for.
func (v *Table) RawBytes() *Table {
	inverse, raw := Bytes(), New(v.count)
	for id := range v.spans {
		text, ok := v.Text(int32(id))
		if bytes, spelled := Spelled(inverse, text); ok && spelled {
			raw.put(bytes, int32(id))
		}
	}
	return raw
}
