package tokenizer

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// The files that hold a vocabulary; the first that exists is read.
const (
	jsonFile          = "tokenizer.json"
	tekkenFile        = "tekken.json"
	sentencePieceFile = "tokenizer.model"
)

// tokenizerFile is a tokenizer.json. Its truncation and padding are settings of some earlier call that were saved by
// accident, and are ignored: the original library resets them before each call too.
type tokenizerFile struct {
	Version       string
	Truncation    json.RawMessage
	Padding       json.RawMessage
	AddedTokens   []matcher.Token `json:"added_tokens"`
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
	if f.Version != "" && f.Version != "1.0" {
		return nil, fmt.Errorf("version: %q is unknown; want \"1.0\"", f.Version)
	}
	return newTokenizer(f, nil)
}

// newTokenizer compiles the components of a file. A model that is not nil takes the place of the file's.
func newTokenizer(f tokenizerFile, model *bpe) (*Tokenizer, error) {
	t := &Tokenizer{model: model, bos: -1, eos: -1, pad: -1, unk: -1,
		added: map[int32]matcher.Token{}, addedIDs: map[string]int32{}}
	t.workspaces.New = func() any { return new(workspace) }
	var err error
	if t.normalize, err = newNormalizer(f.Normalizer); err != nil {
		return nil, err
	}
	var byteLevel bool
	if t.split, byteLevel, err = newSplitter(f.PreTokenizer, 0); err != nil {
		return nil, err
	}
	if err := checkFirst(f.Normalizer, f.PreTokenizer); err != nil {
		return nil, err
	}
	if t.affixes, err = newAffixes(f.PostProcessor, 0); err != nil {
		return nil, err
	}
	if t.decode, err = newDecoder(f.Decoder); err != nil {
		return nil, err
	}
	if t.model == nil {
		if t.model, err = newBPE(f.Model, byteLevel); err != nil {
			return nil, err
		}
	}
	if byteLevel && !t.model.byteLevel {
		t.split = chainSplitters(t.split, spellBytes())
	}
	if t.model.canSplitBefore(spaceMark) {
		t.split = chainSplitters(t.split, splitBeforeSpaceMark)
	}
	t.unk = t.model.unknown
	for _, added := range f.AddedTokens {
		if err := t.addToken(added); err != nil {
			return nil, fmt.Errorf("added_tokens: %w", err)
		}
	}
	for _, id := range slices.Concat(t.affixes.before, t.affixes.after) {
		if _, ok := t.text(id); !ok {
			return nil, fmt.Errorf("post_processor adds the id %d, which is not in the vocabulary", id)
		}
	}
	return t, nil
}

// maxAdded bounds the added tokens; published tokenizers have at most some 30,000.
const maxAdded = 1 << 16

// addToken adds a token to the vocabulary, if it is new, or replaces how an added token is matched. As in the original
// library a new token gets the next free id, so that any other id in a file is an error, and a special token stays
// special.
func (t *Tokenizer) addToken(added matcher.Token) error {
	if old, ok := t.ID(added.Content); ok {
		if int64(old) != added.ID {
			return fmt.Errorf("%.100q has id %d there and %d in the vocabulary", added.Content, added.ID, old)
		}
	} else {
		if next := t.nextID(); added.ID != next && added.ID >= 0 && added.ID < vocabulary.MaxTokens && t.free(added.ID) {
			return fmt.Errorf("%.100q has id %d there, but the next free id, which Hugging Face's tokenizers gives it, is %d",
				added.Content, added.ID, next)
		}
		if err := vocabulary.CheckID(added.Content, added.ID); err != nil {
			return err
		}
		if other, used := t.text(int32(added.ID)); used {
			return fmt.Errorf("id %d belongs to two tokens, %q and %q", added.ID, other, added.Content)
		}
	}
	id := int32(added.ID)
	old, known := t.added[id]
	if !known && len(t.added) == maxAdded {
		return fmt.Errorf("there are more than %d added tokens", maxAdded)
	}
	added.Special = added.Special || old.Special
	t.added[id], t.addedIDs[added.Content] = added, id
	t.highest = max(t.highest, added.ID+1)
	return nil
}

// free reports whether no token has an id.
func (t *Tokenizer) free(id int64) bool {
	_, used := t.text(int32(id))
	return !used
}

// nextID is the id of the next new token: the number of the model's tokens, or one more than the last added token.
func (t *Tokenizer) nextID() int64 { return max(int64(t.model.vocab.Count()), t.highest) }

// link prepares the search for added tokens; after it no token can be added.
func (t *Tokenizer) link() error {
	t.normalForm = make(map[int32]string)
	for _, id := range slices.Sorted(maps.Keys(t.added)) {
		added, target, text := t.added[id], &t.raw, t.added[id].Content
		if added.Normalized {
			target = &t.normalized
			if !added.Verbatim {
				text = t.normalize(added.Content)
			}
			t.normalForm[id] = text
			if text == "" { // Hugging Face's tokenizers find it between any two characters
				return fmt.Errorf("added_tokens: %.100q has normalized true, and the normalizer makes it empty", added.Content)
			}
		}
		if err := target.Add(text, added); err != nil {
			return err
		}
	}
	t.raw.Link()
	t.normalized.Link()
	return nil
}
