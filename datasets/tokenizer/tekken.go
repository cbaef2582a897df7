package tokenizer

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/matcher"
	"github.com/bfpo-go/bfpo/datasets/tokenizer/vocabulary"
)

// tekkenModel is a tekken.json, the tokenizer of Mistral's models since Nemo: a pattern and the bytes of each token by
// rank. Of its other keys only those of images and audio are there, which do not concern text.
type tekkenModel struct {
	Config struct {
		Pattern       string `json:"pattern"`
		VocabSize     *int   `json:"default_vocab_size"`
		SpecialTokens *int   `json:"default_num_special_tokens"`
	} `json:"config"`
	Vocab []struct {
		Rank  int    `json:"rank"`
		Bytes []byte `json:"token_bytes"` // base64
	} `json:"vocab"`
	Specials []struct {
		Rank int    `json:"rank"`
		Text string `json:"token_str"`
	} `json:"special_tokens"`
}

// olderSpecials are the special tokens of files without special_tokens, as mistral-common 1.13.1 lists them.
func olderSpecials() []string {
	return []string{"<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]",
		"[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]",
		"[MIDDLE]", "[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"}
}

// parseTekken makes a tokenizer of a tekken.json as transformers 5 does (MistralConverter): the special tokens have the
// first ids and are matched in texts.
func parseTekken(data []byte) (*Tokenizer, error) {
	var f tekkenModel
	if err := jsontype.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Config.Pattern == "" {
		return nil, errors.New("config: there is no pattern")
	}
	specials, err := f.specials()
	if err != nil {
		return nil, err
	}
	vocab, err := f.vocabulary(specials)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(f.Config.Pattern)
	if err != nil {
		return nil, err
	}
	file := tokenizerFile{
		PreTokenizer: json.RawMessage(`{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ` +
			string(raw) + `}, "behavior": "Isolated", "invert": false},
			{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}`),
		Decoder: json.RawMessage(`{"type": "ByteLevel"}`),
	}
	for id, text := range specials {
		file.AddedTokens = append(file.AddedTokens, matcher.Token{ID: int64(id), Content: text, Special: true})
	}
	model := &bpe{vocab: vocab, unknown: -1, byteLevel: true}
	model.complete(true)
	letters := vocabulary.Speller()
	merges, err := deriveMerges(vocab.Size(), func(id int32) string {
		if int(id) < len(specials) {
			return ""
		}
		return string(f.Vocab[int(id)-len(specials)].Bytes)
	}, func(half string) (int32, bool) {
		id, ok := vocab.ID(letters(half))
		return id, ok && int(id) >= len(specials)
	}, true)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(merges, func(a, b halves) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(a.left, b.left), cmp.Compare(a.right, b.right))
	})
	model.addDerived(merges)
	t, err := newTokenizer(file, model)
	if err != nil {
		return nil, err
	}
	for text, id := range map[string]*int32{"<s>": &t.bos, "</s>": &t.eos, "<pad>": &t.pad, "<unk>": &t.unk} {
		if found, ok := vocab.ID(text); ok {
			*id = found
		}
	}
	return t, nil
}

// specials returns the special tokens in the order of their ranks, filled up with <SPECIAL_n>.
func (f *tekkenModel) specials() ([]string, error) {
	texts := olderSpecials()
	if f.Specials != nil {
		texts = make([]string, len(f.Specials))
		for _, token := range f.Specials {
			if token.Rank < 0 || token.Rank >= len(texts) || texts[token.Rank] != "" || token.Text == "" {
				return nil, fmt.Errorf("special_tokens: the ranks are not 0..%d, each once, or a text is empty", len(texts)-1)
			}
			texts[token.Rank] = token.Text
		}
	}
	if n := f.Config.SpecialTokens; n != nil {
		if *n < len(texts) || *n > len(texts)+maxFill {
			return nil, fmt.Errorf("config: default_num_special_tokens is %d; there are %d special tokens, and at most %d "+
				"more are supported", *n, len(texts), maxFill)
		}
		for id := len(texts); id < *n; id++ {
			texts = append(texts, fmt.Sprintf("<SPECIAL_%d>", id))
		}
	}
	return texts, nil
}

// maxFill bounds the special tokens that have no text of their own; published files have about 980.
const maxFill = 1 << 14

// vocabulary returns the special tokens and, after them, the letters of the tokens that config counts.
func (f *tekkenModel) vocabulary(specials []string) (*vocabulary.Table, error) {
	if n := f.Config.VocabSize; n != nil {
		inner := *n - len(specials)
		if inner < 0 || inner > len(f.Vocab) {
			return nil, fmt.Errorf("config: default_vocab_size is %d, but there are %d special tokens and %d others", *n,
				len(specials), len(f.Vocab))
		}
		f.Vocab = f.Vocab[:inner]
	}
	v, letters := vocabulary.New(len(specials)+len(f.Vocab)), vocabulary.Speller()
	for id, text := range specials {
		if err := v.Add(text, int64(id)); err != nil {
			return nil, fmt.Errorf("special_tokens: %w", err)
		}
	}
	for i, token := range f.Vocab {
		if token.Rank != i || len(token.Bytes) == 0 {
			return nil, fmt.Errorf("vocab: entry %d has rank %d and %d bytes; the ranks must be in order", i, token.Rank,
				len(token.Bytes))
		}
		if err := v.Add(letters(string(token.Bytes)), int64(len(specials)+i)); err != nil {
			return nil, fmt.Errorf("vocab: %w", err)
		}
	}
	for b, letter := range vocabulary.Letters() { // a byte without a token would vanish from texts
		if _, ok := v.ID(string(letter)); !ok {
			return nil, fmt.Errorf("vocab: no token is the single byte 0x%02x", b)
		}
	}
	return v, nil
}
