package gguf

import (
	"fmt"
	"slices"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// The patterns by which models split a text into words.
const (
	llama3Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|` + commonWords
	qwen2Words  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|` + commonWords
	commonWords = ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	tekkenWords = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|` +
		` ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	deepSeek3Words = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" +
		`[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// llama3Names are the names of the pre-tokenizers that are Llama 3's.
func llama3Names() []string {
	return []string{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral"}
}

// ignoresMerges reports whether a word that is a token is not split, as llama.cpp decides by the pre-tokenizer.
func ignoresMerges(pre string) bool {
	return pre == "tekken" || slices.Contains(llama3Names(), pre)
}

// preTokenizer returns the step that splits a text into words before the merges. A file without a name for it, or
// with "default", gets GPT-2's pre-tokenizer.
func preTokenizer(pre string) (config.Object, error) {
	regex := func(pattern string) config.Object {
		return config.Object{"type": "Split", "pattern": config.Object{"Regex": pattern}, "behavior": "Isolated",
			"invert": false}
	}
	sequence := func(members ...config.Object) config.Object {
		return config.Object{"type": "Sequence", "pretokenizers": members}
	}
	if slices.Contains(llama3Names(), pre) {
		return sequence(regex(llama3Words), byteLevel(false)), nil
	}
	switch pre {
	case "", "default", "gpt-2", "gpt2":
		return byteLevel(true), nil
	case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
		return sequence(config.Object{"type": "Digits", "individual_digits": true}, byteLevel(true)), nil
	case "qwen2":
		return sequence(regex(qwen2Words), byteLevel(false)), nil
	case "tekken":
		return sequence(regex(tekkenWords), byteLevel(false)), nil
	case "deepseek-coder":
		return sequence(regex("[\r\n]"), regex(`\s?\p{L}+`), regex(`\s?\p{P}+`), regex("[一-龥ࠀ-一가-\uD7FF]+"),
			regex(`\p{N}`), byteLevel(false)), nil
	case "deepseek-v3":
		return sequence(regex(`\p{N}{1,3}`), regex("[一-龥\u3040-ゟ゠-ヿ]+"), regex(deepSeek3Words), byteLevel(false)), nil
	}
	return nil, fmt.Errorf("metadata key tokenizer.ggml.pre: pre-tokenizer %q is not supported: "+
		"use the model's Hugging Face folder", pre)
}

// byteLevel is the step that maps bytes to letters. With regex it also splits the text into words as GPT-2 does.
func byteLevel(regex bool) config.Object {
	return config.Object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
}
