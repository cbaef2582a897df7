package gguf

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// metadataName returns where a GGUF file has the value of a key of config.json.
func metadataName(key string) string {
	name, ok := map[string]string{
		"hidden_size": "llama.embedding_length", "intermediate_size": "llama.feed_forward_length",
		"num_hidden_layers": "llama.block_count", "num_attention_heads": "llama.attention.head_count",
		"num_key_value_heads": "llama.attention.head_count_kv", "head_dim": "llama.attention.key_length",
		"max_position_embeddings": "llama.context_length", "rms_norm_eps": epsilonKey,
		"rope_theta": "llama.rope.freq_base", "rope_scaling.rope_type": "llama.rope.scaling.type",
		"rope_scaling.factor":                           "llama.rope.scaling.factor",
		"rope_scaling.original_max_position_embeddings": "llama.rope.scaling.original_context_length",
		"rope_scaling.beta_fast":                        "llama.rope.scaling.yarn_beta_fast",
		"rope_scaling.beta_slow":                        "llama.rope.scaling.yarn_beta_slow",
		"rope_scaling.attention_factor":                 "llama.rope.scaling.attn_factor",
		"bos_token_id":                                  "tokenizer.ggml.bos_token_id",
		"eos_token_id":                                  "tokenizer.ggml.eos_token_id",
		"pad_token_id":                                  "tokenizer.ggml.padding_token_id",
	}[key]
	switch {
	case ok:
		return "metadata key " + name
	case key == "vocab_size":
		return "tensor token_embd.weight"
	case strings.HasPrefix(key, "rope_scaling."):
		return "tensor " + ropeFactorsTensor
	}
	return "key " + key
}

// ConfigError returns an error about the config.json that the file stands for as one about the file and its metadata
// keys.
func (g *File) ConfigError(err error) error {
	wrong, ok := errors.AsType[*config.KeyError](err)
	if !ok {
		return fmt.Errorf("%s: %w", g.path, err)
	}
	names := make([]string, len(wrong.Keys))
	for i, key := range wrong.Keys {
		names[i] = metadataName(key)
	}
	return fmt.Errorf("%s: %s: %s", g.path, strings.Join(names, " and "), wrong.Problem)
}
