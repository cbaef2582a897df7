package tokenizer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Tokenizer turns text into the ids a checkpoint was trained on and back. It reads Hugging Face's tokenizer.json for BPE models of
// two families: SentencePiece-like with byte fallback (Mistral, Llama 2) and byte-level (SmolLM2, GPT-2, Llama 3).
// A Tokenizer is read-only once made and safe for concurrent use.
type Tokenizer struct {
	model      *bpe
	tokens     vocabulary       // the model's and the added ones
	special    []bool           // by id
	spelled    map[int32]string // what tokens stand for that are looked for in normalised text
	raw        tokenTrie        // added tokens looked for in the text as given
	normalized tokenTrie        // and in the normalised text
	normalize  normalizer
	split      splitter
	affixes    affixes
	decode     decoder

	bos, eos, pad, unk int32 // -1: none

	digest []byte

	scratch sync.Pool // of *word
}

// NewTokenizer reads tokenizer.json and, where present, tokenizer_config.json and special_tokens_map.json; read returns a file of the
// checkpoint by name (fs.ErrNotExist when it has none). A component this package does not know is an error naming it: leaving it out
// would silently give other ids.
func New(read func(name string) ([]byte, error)) (*Tokenizer, error) {
	sum := sha256.New()
	hashed := func(name string) ([]byte, error) {
		data, err := read(name)
		fmt.Fprintf(sum, "%q %d %t\n", name, len(data), err == nil)
		sum.Write(data)
		return data, err
	}
	data, err := hashed("tokenizer.json")
	if err != nil {
		return nil, fmt.Errorf("read tokenizer.json: %w", err)
	}
	t, err := readTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	if err := t.readSpecials(hashed); err != nil {
		return nil, err
	}
	t.digest = sum.Sum(nil)
	return t, nil
}

// tokenizerFile is a tokenizer.json. Truncation and padding are call settings that were saved by accident: the reference library
// resets them before each call too.
type tokenizerFile struct {
	Version       string
	Truncation    json.RawMessage
	Padding       json.RawMessage
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage
	Model         json.RawMessage
}

func readTokenizer(data []byte) (*Tokenizer, error) {
	var f tokenizerFile
	if err := decodeStrict(data, &f); err != nil {
		return nil, err
	}
	t := &Tokenizer{spelled: make(map[int32]string), bos: -1, eos: -1, pad: -1, unk: -1}
	t.scratch.New = func() any { return new(word) }
	var err error
	if t.normalize, err = newNormalizer(f.Normalizer, 0); err != nil {
		return nil, err
	}
	var byteLevel bool
	if t.split, byteLevel, err = newSplitter(f.PreTokenizer, 0); err != nil {
		return nil, err
	}
	if t.affixes, err = newAffixes(f.PostProcessor, 0); err != nil {
		return nil, err
	}
	if t.decode, err = newDecoder(f.Decoder, 0); err != nil {
		return nil, err
	}
	if t.model, err = newBPE(f.Model, byteLevel); err != nil {
		return nil, err
	}
	if t.model.splitsBefore(spaceMark) {
		t.split = chainSplitters(t.split, splitBeforeMark)
	}
	t.tokens = t.model.vocab.clone()
	t.unk = t.model.unknown
	for _, added := range f.AddedTokens {
		if err := t.addToken(added); err != nil {
			return nil, err
		}
	}
	for _, id := range slices.Concat(t.affixes.before, t.affixes.after) {
		if _, ok := t.tokens.text(id); !ok {
			return nil, fmt.Errorf("post_processor adds the id %d, which is no token", id)
		}
	}
	return t, nil
}

func (t *Tokenizer) addToken(added addedToken) error {
	if id, ok := t.tokens.ids[added.Content]; !ok {
		if err := t.tokens.add(added.Content, added.ID); err != nil {
			return fmt.Errorf("added_tokens: %w", err)
		}
	} else if int64(id) != added.ID {
		return fmt.Errorf("added_tokens: %q has id %d there and %d in vocab", added.Content, added.ID, id)
	}
	if n := len(t.tokens.tokens) - len(t.special); n > 0 {
		t.special = append(t.special, make([]bool, n)...)
	}
	t.special[added.ID] = added.Special
	if added.Normalized {
		text := t.normalize(added.Content)
		t.spelled[int32(added.ID)] = text
		return t.normalized.add(text, added)
	}
	return t.raw.add(added.Content, added)
}

// Encode returns the ids of a text; special adds what the tokenizer puts around a text (Mistral: BOS before it).
// Added tokens written out in the text, such as </s>, become their ids either way. Bytes that are not UTF-8 count as U+FFFD.
func (t *Tokenizer) Encode(text string, special bool) []int32 {
	if !utf8.ValidString(text) {
		text = replaceInvalid(text)
	}
	w := t.scratch.Get().(*word)
	defer t.scratch.Put(w)
	ids := make([]int32, 0, len(text)/3+len(t.affixes.before)+len(t.affixes.after)+1)
	if special {
		ids = append(ids, t.affixes.before...)
	}
	add := func(id int32) { ids = append(ids, id) }
	emit := func(part string) { ids = t.model.encode(w, part, ids) }
	t.raw.split(text, func(part string, at int) {
		t.normalized.split(t.normalize(part), func(part string, within int) {
			t.split(part, at == 0 && within == 0, emit)
		}, add)
	}, add)
	if special {
		ids = append(ids, t.affixes.after...)
	}
	return ids
}

// Decode returns the text of ids; skipSpecial leaves special tokens out. Ids that are no token are left out too. Blanks before
// punctuation stay (no "clean up"), so for byte-level models Decode(Encode(text, false), false) is the text; SentencePiece-like
// models take one leading blank of a text away, since they put one there.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	parts := make([]string, 0, len(ids))
	for _, id := range ids {
		text, ok := t.tokens.text(id)
		if !ok || skipSpecial && t.Special(id) {
			continue
		}
		if spelled, ok := t.spelled[id]; ok {
			text = spelled
		}
		parts = append(parts, text)
	}
	return strings.Join(t.decode(parts), "")
}

// Prefix returns the ids that Encode puts before a text when special is set: BOS, or nothing.
func (t *Tokenizer) Prefix() []int32 { return t.affixes.before }

// VocabSize is the highest id + 1: the rows an embedding table needs at least.
func (t *Tokenizer) VocabSize() int { return len(t.tokens.tokens) }

// BOS returns the token that begins a text, if the checkpoint names one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the token that ends a text, if the checkpoint names one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Pad returns the padding token, if the checkpoint names one.
func (t *Tokenizer) Pad() (int32, bool) { return t.pad, t.pad >= 0 }

// Unk returns the token for what the vocabulary cannot spell, if the checkpoint names one.
func (t *Tokenizer) Unk() (int32, bool) { return t.unk, t.unk >= 0 }

// Digest is a SHA-256 over the files that the tokenizer was read from.
func (t *Tokenizer) Digest() []byte { return t.digest }

// Token returns a token's text as the vocabulary writes it, "" for an id that is no token.
func (t *Tokenizer) Token(id int32) string {
	text, _ := t.tokens.text(id)
	return text
}

// Special says whether an id is a special token such as BOS.
func (t *Tokenizer) Special(id int32) bool {
	return id >= 0 && int(id) < len(t.special) && t.special[id]
}

// readOptional is read, with nil for a file the checkpoint has not.
func ReadOptional(read func(name string) ([]byte, error), name string) ([]byte, error) {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}
