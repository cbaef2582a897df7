package tokenizer

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/normalform"
)

// Tokenizer turns text into the token ids that a pretrained model was trained on, and back. A Tokenizer is safe for
// concurrent use; nothing but SetRows changes it once New has read it.
type Tokenizer struct {
	model      *bpe
	added      map[int32]matcher.Token
	addedIDs   map[string]int32 // the ids of the added tokens by their texts
	highest    int64            // the highest id of an added token + 1
	normalForm map[int32]string // the normalised text of added tokens that are matched in normalised text
	raw        matcher.Matcher  // added tokens matched in the text as given
	normalized matcher.Matcher  // added tokens matched in the normalised text
	splits     bool             // special tokens that are spelled out in a text are text
	normalize  normalizer
	split      splitter
	affixes    affixes
	decode     decoder

	bos, eos, pad, unk int32 // -1: the model files name no such token

	names map[string]string // of the special tokens, such as pad_token: their texts

	digest  []byte
	notices []string
	rows    int // of the model's embedding; 0: not known

	workspaces sync.Pool // of *workspace
}

// Encode returns the token ids of a text. With addSpecial it adds the special tokens that belong around a text
// (Mistral: BOS before it). Added tokens that are spelled out in the text, such as </s>, become their ids either way,
// unless the model's files ask for split_special_tokens.
// Each invalid sequence of UTF-8 counts as U+FFFD.
func (t *Tokenizer) Encode(text string, addSpecial bool) []int32 {
	text = normalform.ReplaceInvalid(text)
	w := t.workspaces.Get().(*workspace)
	defer t.workspaces.Put(w)
	ids := make([]int32, 0, len(text)/3+len(t.affixes.before)+len(t.affixes.after)+1)
	if addSpecial {
		ids = append(ids, t.affixes.before...)
	}
	appendID := func(id int32) { ids = append(ids, id) }
	appendWord := func(word string, _ bool) { ids = t.model.encode(w, word, ids) }
	t.raw.Split(text, t.isText, func(stretch string, offset int) {
		t.normalized.Split(t.normalize(stretch), t.isText, func(stretch string, within int) {
			t.split(stretch, offset == 0 && within == 0, appendWord)
		}, appendID)
	}, appendID)
	if addSpecial {
		ids = append(ids, t.affixes.after...)
	}
	return ids
}

// isText reports whether an added token is left in the text: a special one with split_special_tokens.
func (t *Tokenizer) isText(token matcher.Token) bool { return t.splits && token.Special }

// Decode returns the text of a row of token ids. It leaves out ids that are not in the vocabulary and, with
// skipSpecial, special tokens. Spaces before punctuation stay ("clean up" is off), so for byte-level models
// Decode(Encode(text, false), false) is the text. SentencePiece-like models put a space before every text, and Decode
// drops one leading space.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	texts := make([]string, 0, len(ids))
	for _, id := range ids {
		text, ok := t.text(id)
		if !ok || skipSpecial && t.IsSpecial(id) {
			continue
		}
		if normal, ok := t.normalForm[id]; ok {
			text = normal
		}
		texts = append(texts, text)
	}
	return strings.Join(t.decode(texts), "")
}

// TokenTexts returns the text that each token adds to its row; joined, the texts are Decode(ids, false). A token that
// ends inside a character adds "", and the character belongs to the token that completes it. TokenTexts is for showing
// single rows to a reader: it decodes the row once per token, which is quadratic in its length.
func (t *Tokenizer) TokenTexts(ids []int32) []string {
	texts := make([]string, len(ids))
	shown := ""
	for i := range ids {
		text := t.Decode(ids[:i+1], false)
		if strings.HasSuffix(text, "\uFFFD") && i+1 < len(ids) || !strings.HasPrefix(text, shown) {
			continue
		}
		texts[i], shown = text[len(shown):], text
	}
	return texts
}

// Prefix returns the ids that Encode puts before a text when special tokens are asked for: BOS, or nothing.
func (t *Tokenizer) Prefix() []int32 { return t.affixes.before }

// VocabSize is the highest id + 1, the least number of rows of an embedding table.
func (t *Tokenizer) VocabSize() int { return max(t.model.vocab.Size(), int(t.highest)) }

// BOS returns the token that begins a text, and whether the model files name one.
func (t *Tokenizer) BOS() (int32, bool) { return t.bos, t.bos >= 0 }

// EOS returns the token that ends a text, and whether the model files name one.
func (t *Tokenizer) EOS() (int32, bool) { return t.eos, t.eos >= 0 }

// Pad returns the padding token, and whether the model files name one.
func (t *Tokenizer) Pad() (int32, bool) { return t.pad, t.pad >= 0 }

// Unk returns the token for characters that the vocabulary cannot spell, and whether the model files name one.
func (t *Tokenizer) Unk() (int32, bool) { return t.unk, t.unk >= 0 }

// SpecialTokens returns the texts of the special tokens by their names, such as bos_token: their special_tokens_map.
func (t *Tokenizer) SpecialTokens() map[string]string {
	names := map[string]string{}
	maps.Copy(names, t.names)
	for name, id := range map[string]int32{"bos_token": t.bos, "eos_token": t.eos} {
		if id >= 0 {
			names[name] = t.Token(id)
		}
	}
	return names
}

// Notices are sentences about keys of the model's files that ask for something else than what the tokenizer does.
func (t *Tokenizer) Notices() []string { return t.notices }

// SetRows tells the number of rows of the model's embedding, for Beyond. Call it before the tokenizer is shared.
func (t *Tokenizer) SetRows(rows int) { t.rows = rows }

// Beyond returns an error that names the first token of a row for which the model's embedding has no row, or nil. A
// tokenizer may have such tokens, as long as they do not occur.
func (t *Tokenizer) Beyond(ids []int32) error {
	if t.rows == 0 || t.VocabSize() <= t.rows {
		return nil
	}
	for _, id := range ids {
		if int(id) >= t.rows {
			return fmt.Errorf("the token %s (id %d) has no row in the model's embedding of %d", t.Token(id), id, t.rows)
		}
	}
	return nil
}

// Digest is the SHA-256 of the files that the tokenizer was read from.
func (t *Tokenizer) Digest() []byte { return t.digest }

// ID returns the id of a token by its spelling in the vocabulary, and whether there is such a token.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.model.vocab.ID(token); ok {
		return id, true
	}
	id, ok := t.addedIDs[token]
	return id, ok
}

// Token returns a token's text as the vocabulary spells it, "" for an id that is not in the vocabulary.
func (t *Tokenizer) Token(id int32) string {
	text, _ := t.text(id)
	return text
}

// IsSpecial reports whether an id is a special token such as BOS.
func (t *Tokenizer) IsSpecial(id int32) bool { return t.added[id].Special }

// text returns a token's text; false for an id that is not in the vocabulary.
func (t *Tokenizer) text(id int32) (string, bool) {
	if added, ok := t.added[id]; ok {
		return added.Content, true
	}
	return t.model.vocab.Text(id)
}
