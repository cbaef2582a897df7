package gguf

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// Kinds of tokens in tokenizer.ggml.token_type.
const (
	ggufUnknown     = 2
	ggufControl     = 3
	ggufUserDefined = 4
)

// ggufVocabulary is the tokenizer part of the metadata.
type vocabulary struct {
	model  string // "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)
	pre    string // which pre-tokenizer a gpt2 model has
	tokens []string
	types  []int32
	scores []float32
	merges []string

	bos, eos, unk, pad, eot *int
	addBOS, addEOS, prefix  bool
	template                string
	length                  int
}

// vocabulary reads and checks the tokenizer's metadata.
func (g *File) vocabulary() (*vocabulary, error) {
	m := &metadata{file: g.file}
	const at = "tokenizer.ggml."
	v := &vocabulary{
		model: value(m, at+"model", ""), pre: value(m, at+"pre", ""),
		tokens: value[[]string](m, at+"tokens", nil), types: value[[]int32](m, at+"token_type", nil),
		scores: value[[]float32](m, at+"scores", nil), merges: value[[]string](m, at+"merges", nil),
		template: value(m, "tokenizer.chat_template", ""), length: m.integer("llama.context_length", config.DefaultLlamaLength),
	}
	n := len(v.tokens)
	v.bos, v.eos = m.token(at+"bos_token_id", n), m.token(at+"eos_token_id", n)
	v.unk, v.pad, v.eot = m.token(at+"unknown_token_id", n), m.token(at+"padding_token_id", n), m.token(at+"eot_token_id", n)
	sentencePiece := v.model == "llama"
	v.addBOS = value(m, at+"add_bos_token", sentencePiece || v.pre == "llama-bpe")
	v.addEOS = value(m, at+"add_eos_token", false)
	v.prefix = value(m, at+"add_space_prefix", sentencePiece)
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
	seen := make(map[string]bool, n)
	for i, token := range v.tokens {
		if seen[token] || !utf8.ValidString(token) {
			m.fail(at+"tokens", "token %d (%q) comes twice or is not UTF-8", i, token)
		}
		seen[token] = true
	}
	return v, m.err
}

// hfToken is a token outside the merges, as tokenizer.json lists it.
type hfToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// added lists the tokens that are found in text before anything else: control tokens and those a user defined.
func (v *vocabulary) added() []hfToken {
	list := []hfToken{}
	for id, kind := range v.types {
		switch kind {
		case ggufUnknown, ggufControl, ggufUserDefined:
			list = append(list, hfToken{ID: id, Content: v.tokens[id], Special: kind != ggufUserDefined})
		}
	}
	return list
}

// text returns the text of a token, nil for none.
func (v *vocabulary) text(id *int) any {
	if id == nil {
		return nil
	}
	return v.tokens[*id]
}

// tokenizerJSON makes a tokenizer.json.
func (v *vocabulary) tokenizerJSON() ([]byte, error) {
	model := config.Object{
		"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": false, "byte_fallback": false, "ignore_merges": v.pre == "llama-bpe", "vocab": v.vocab(), "merges": v.merges,
	}
	out := config.Object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": v.added(),
		"normalizer": nil, "post_processor": v.postProcessor(), "model": model,
	}
	if v.model == "llama" {
		model["unk_token"], model["fuse_unk"], model["byte_fallback"] = v.text(v.unk), true, true
		model["merges"] = v.scoredMerges()
		out["normalizer"], out["pre_tokenizer"], out["decoder"] = v.spaces()
	} else {
		pre, err := v.preTokenizer()
		if err != nil {
			return nil, err
		}
		out["pre_tokenizer"] = pre
		out["decoder"] = byteLevel(true)
	}
	return config.Marshal(out)
}

// vocab writes the vocabulary in the order of the ids, which a Go map would lose.
func (v *vocabulary) vocab() json.RawMessage {
	var b strings.Builder
	for id, token := range v.tokens {
		text, _ := json.Marshal(token) // a valid string cannot fail
		fmt.Fprintf(&b, ",%s:%d", text, id)
	}
	return json.RawMessage("{" + strings.TrimPrefix(b.String(), ",") + "}")
}

func byteLevel(regex bool) config.Object {
	return config.Object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
}

// llamaWords is the word pattern of Llama 3.
const llamaWords = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// preTokenizer returns what splits text into words before the merges. A file that does not name it, or gives the name of
// "nothing special", gets GPT-2's.
func (v *vocabulary) preTokenizer() (config.Object, error) {
	split := func(first config.Object, regex bool) config.Object {
		return config.Object{"type": "Sequence", "pretokenizers": []config.Object{first, byteLevel(regex)}}
	}
	switch v.pre {
	case "", "default", "gpt-2", "gpt2":
		return byteLevel(true), nil
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		return split(config.Object{"type": "Digits", "individual_digits": true}, true), nil
	case "llama-bpe", "llama3", "llama-v3":
		words := config.Object{"type": "Split", "pattern": config.Object{"Regex": llamaWords}, "behavior": "Isolated", "invert": false}
		return split(words, false), nil
	}
	return nil, fmt.Errorf("metadata key tokenizer.ggml.pre: pre-tokenizer %q is not supported: use the model's Hugging Face folder", v.pre)
}

// spaces returns normalizer, pre-tokenizer and decoder of a SentencePiece model: blanks are written as U+2581, bytes as <0xNN>.
func (v *vocabulary) spaces() (normalizer, pre, decoder any) {
	replace := func(from, to string) config.Object {
		return config.Object{"type": "Replace", "pattern": config.Object{"String": from}, "content": to}
	}
	steps := []config.Object{replace(" ", "▁")}
	back := []config.Object{replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}}
	if v.prefix {
		steps = append([]config.Object{{"type": "Prepend", "prepend": "▁"}}, steps...)
		back = append(back, config.Object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	return config.Object{"type": "Sequence", "normalizers": steps}, nil, config.Object{"type": "Sequence", "decoders": back}
}

// postProcessor puts BOS before and EOS behind a text, as far as the file asks for it.
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
	pair = append(pair, config.Object{"Sequence": config.Object{"id": "A", "type_id": 0}}, config.Object{"Sequence": config.Object{"id": "B", "type_id": 0}})
	if v.addEOS && v.eos != nil {
		add(v.eos)
	}
	if len(special) == 0 {
		return nil
	}
	return config.Object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}
}
