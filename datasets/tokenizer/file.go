package tokenizer

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
)

// New reads a tokenizer from the files of a pretrained model: tokenizer.json and, where present, tokenizer_config.json
// and special_tokens_map.json. read returns a file by name, and an error that wraps fs.ErrNotExist where there is none.
// Errors name the file and the component or key that is broken or not supported.
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
	t, err := parseTokenizer(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	config, specials, err := readConfig(hashed)
	if err != nil {
		return nil, err
	}
	if err := t.configure(config, specials); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	t.digest = sum.Sum(nil)
	return t, nil
}

// tokenizerFile is a tokenizer.json. Its truncation and padding are settings of some earlier call that were saved by
// accident, and are ignored: the original library resets them before each call too.
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

// parseTokenizer makes a tokenizer of a tokenizer.json; the special tokens are not named yet.
func parseTokenizer(data []byte) (*Tokenizer, error) {
	var f tokenizerFile
	if err := decodeStrict(data, &f); err != nil {
		return nil, err
	}
	t := &Tokenizer{normalForm: make(map[int32]string), bos: -1, eos: -1, pad: -1, unk: -1}
	t.workspaces.New = func() any { return new(workspace) }
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
	if t.model.canSplitBefore(spaceMark) {
		t.split = chainSplitters(t.split, splitBeforeSpaceMark)
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
			return nil, fmt.Errorf("post_processor adds the id %d, which is not in the vocabulary", id)
		}
	}
	return t, nil
}

// addToken adds a token to the vocabulary, if it is new, and to the trie that finds it in texts.
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
		t.normalForm[int32(added.ID)] = text
		return t.normalized.add(text, added)
	}
	return t.raw.add(added.Content, added)
}

// configure takes from tokenizer_config.json the tokens that tokenizer.json lacks, the names of the special tokens (or
// else from special_tokens_map.json), and whether Encode adds BOS and EOS.
func (t *Tokenizer) configure(config, specials tokenizerConfig) error {
	if err := t.addMissing(config.Decoder); err != nil {
		return fmt.Errorf("added_tokens_decoder: %w", err)
	}
	for _, name := range []struct {
		key             string
		first, fallback namedToken
		id              *int32
	}{
		{"bos_token", config.BOS, specials.BOS, &t.bos},
		{"eos_token", config.EOS, specials.EOS, &t.eos},
		{"pad_token", config.Pad, specials.Pad, &t.pad},
		{"unk_token", config.Unk, specials.Unk, &t.unk},
	} {
		text := name.first
		if text == "" {
			text = name.fallback
		}
		if text == "" {
			continue
		}
		id, ok := t.tokens.ids[string(text)]
		if !ok {
			return fmt.Errorf("%s is %q, which is not a token of tokenizer.json", name.key, text)
		}
		*name.id = id
	}
	return t.affixes.force(config.AddBOS, config.AddEOS, t.bos, t.eos)
}

// addMissing adds the tokens of added_tokens_decoder, whose keys are ids, that tokenizer.json lacks.
func (t *Tokenizer) addMissing(tokens map[string]addedToken) error {
	for key, added := range tokens {
		var id int64
		if _, err := fmt.Sscan(key, &id); err != nil {
			return fmt.Errorf("key %q is not an id", key)
		}
		added.ID = id
		if old, ok := t.tokens.ids[added.Content]; ok {
			if int64(old) != id {
				return fmt.Errorf("%q has id %d there and %d in tokenizer.json", added.Content, id, old)
			}
			continue
		}
		if err := t.addToken(added); err != nil {
			return err
		}
	}
	return nil
}
