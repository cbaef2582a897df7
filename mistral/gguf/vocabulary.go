package gguf

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// Kinds of tokens in the metadata's tokenizer.ggml.token_type.
const (
	tokenUnknown     = 2
	tokenControl     = 3
	tokenUserDefined = 4
)

// maxAddedTokens bounds the control, unknown and user-defined tokens. Published files have at most some 30,000.
const maxAddedTokens = 1 << 15

// vocabulary is the part of the metadata that describes the tokenizer.
type vocabulary struct {
	model  string // "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)
	pre    string // name of the pre-tokenizer of a gpt2 model
	tokens []string
	types  []int32
	scores []float32
	merges []string

	bos, eos, unk, pad, eot, eom   *int
	addBOS, addEOS, addSpacePrefix bool
	template                       string
	maxLength                      int
}

// readVocabulary reads and checks the metadata of the tokenizer.
func (g *File) readVocabulary() (*vocabulary, error) {
	m := &metadataReader{file: g.file}
	const at = "tokenizer.ggml."
	v := &vocabulary{
		model: readValue(m, at+"model", ""), pre: readValue(m, at+"pre", ""),
		tokens: readValue[[]string](m, at+"tokens", nil), types: readValue[[]int32](m, at+"token_type", nil),
		scores: readValue[[]float32](m, at+"scores", nil), merges: readValue[[]string](m, at+"merges", nil),
		template:  readValue(m, "tokenizer.chat_template", ""),
		maxLength: m.integer("llama.context_length", config.DefaultLlamaPositions),
	}
	n := len(v.tokens)
	v.bos, v.eos = m.token(at+"bos_token_id", n), m.token(at+"eos_token_id", n)
	v.unk, v.pad = m.token(at+"unknown_token_id", n), m.token(at+"padding_token_id", n)
	v.eot, v.eom = m.token(at+"eot_token_id", n), m.token(at+"eom_token_id", n)
	sentencePiece := v.model == "llama"
	v.addBOS = readValue(m, at+"add_bos_token", sentencePiece || ignoresMerges(v.pre))
	v.addEOS = readValue(m, at+"add_eos_token", false)
	v.addSpacePrefix = readValue(m, at+"add_space_prefix", sentencePiece)
	switch {
	case m.err != nil:
	case v.model != "gpt2" && v.model != "llama":
		m.fail(at+"model", "%q is not supported (supported: gpt2, llama)", v.model)
	case n == 0:
		m.fail(at+"tokens", "missing")
	case v.types != nil && len(v.types) != n:
		m.fail(at+"token_type", "%d entries for %d tokens", len(v.types), n)
	case sentencePiece && len(v.scores) != n:
		m.fail(at+"scores", "%d entries for %d tokens", len(v.scores), n)
	case !sentencePiece && len(v.merges) == 0:
		m.fail(at+"merges", "missing")
	}
	if m.err == nil && len(v.addedTokens()) > maxAddedTokens {
		m.fail(at+"token_type", "more than %d control, unknown and user-defined tokens", maxAddedTokens)
	}
	seen := make(map[string]bool, n)
	for i, token := range v.tokens {
		if seen[token] || !utf8.ValidString(token) {
			m.fail(at+"tokens", "token %d (%q) appears twice or is not UTF-8", i, token)
		}
		seen[token] = true
	}
	return v, m.err
}

// addedToken is an entry of the added_tokens of a tokenizer.json or, without its id, of the added_tokens_decoder of a
// tokenizer_config.json.
type addedToken struct {
	ID         *int   `json:"id,omitempty"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// addedTokens lists the tokens that are matched in a text before it is split: control tokens and user-defined tokens.
func (v *vocabulary) addedTokens() []addedToken {
	list := []addedToken{}
	for id, kind := range v.types {
		switch kind {
		case tokenUnknown, tokenControl, tokenUserDefined:
			list = append(list, addedToken{ID: &id, Content: v.tokens[id], Special: kind != tokenUserDefined})
		}
	}
	return list
}

// tokenText returns the text of a token, or nil for no token.
func (v *vocabulary) tokenText(id *int) any {
	if id == nil {
		return nil
	}
	return v.tokens[*id]
}

// tokenizerJSON builds a tokenizer.json.
func (v *vocabulary) tokenizerJSON() ([]byte, error) {
	model := config.Object{
		"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": false, "byte_fallback": false, "ignore_merges": ignoresMerges(v.pre),
		"vocab": v.vocabJSON(), "merges": v.merges,
	}
	out := config.Object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": v.addedTokens(),
		"normalizer": nil, "post_processor": v.postProcessor(), "model": model,
	}
	if v.model == "llama" {
		model["unk_token"], model["fuse_unk"], model["byte_fallback"] = v.tokenText(v.unk), true, true
		merges, err := scoredMerges(v.tokens, v.scores)
		if err != nil {
			return nil, err
		}
		model["merges"] = merges
		out["normalizer"], out["pre_tokenizer"], out["decoder"] = v.sentencePieceSteps()
	} else {
		pre, err := preTokenizer(v.pre)
		if err != nil {
			return nil, err
		}
		out["pre_tokenizer"] = pre
		out["decoder"] = byteLevel(true)
	}
	return config.Marshal(out)
}

// vocabJSON returns the vocabulary in the order of the ids, which a Go map would lose.
func (v *vocabulary) vocabJSON() json.RawMessage {
	var b strings.Builder
	for id, token := range v.tokens {
		text, _ := json.Marshal(token) // a string always marshals
		fmt.Fprintf(&b, ",%s:%d", text, id)
	}
	return json.RawMessage("{" + strings.TrimPrefix(b.String(), ",") + "}")
}

// sentencePieceSteps returns the normalizer, pre-tokenizer and decoder of a SentencePiece model, whose tokens have
// U+2581 for a space and <0xNN> for a byte.
func (v *vocabulary) sentencePieceSteps() (normalizer, pre, decoder any) {
	replace := func(from, to string) config.Object {
		return config.Object{"type": "Replace", "pattern": config.Object{"String": from}, "content": to}
	}
	steps := []config.Object{replace(" ", "▁")}
	back := []config.Object{replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if v.addSpacePrefix {
		steps = append([]config.Object{{"type": "Prepend", "prepend": "▁"}}, steps...)
		back = append(back, config.Object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	normalizer = config.Object{"type": "Sequence", "normalizers": steps}
	return normalizer, nil, config.Object{"type": "Sequence", "decoders": back}
}

// postProcessor returns the step that puts BOS before a text and EOS after it, if the file asks for them, or nil.
func (v *vocabulary) postProcessor() any {
	single, pair, special := []config.Object{}, []config.Object{}, config.Object{}
	add := func(id *int) {
		text := v.tokens[*id]
		special[text] = config.Object{"id": text, "ids": []int{*id}, "tokens": []string{text}}
		single = append(single, config.Object{"SpecialToken": config.Object{"id": text, "type_id": 0}})
		pair = append(pair, config.Object{"SpecialToken": config.Object{"id": text, "type_id": 0}})
	}
	if v.addBOS && v.bos != nil {
		add(v.bos)
	}
	single = append(single, config.Object{"Sequence": config.Object{"id": "A", "type_id": 0}})
	pair = append(pair, config.Object{"Sequence": config.Object{"id": "A", "type_id": 0}},
		config.Object{"Sequence": config.Object{"id": "B", "type_id": 0}})
	if v.addEOS && v.eos != nil {
		add(v.eos)
	}
	if len(special) == 0 {
		return nil
	}
	return config.Object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
}
