package gguf

import (
	"fmt"
	"math"

	"github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// ggufMeta takes values out of a GGUF file's metadata and keeps the first error: a value of the wrong type.
type metadata struct {
	file *gguf.File
	err  error
}

func (m *metadata) fail(key, format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf("metadata key %s: %s", key, fmt.Sprintf(format, args...))
	}
}

// integer reads a whole number of any width; absent is what a missing key gives.
func (m *metadata) integer(key string, absent int) int {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return absent
	}
	switch kv.Raw().(type) {
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
	default:
		m.fail(key, "%T is not a whole number", kv.Raw())
		return absent
	}
	n := kv.Int64()
	if n < math.MinInt32 || n > math.MaxInt32 {
		m.fail(key, "%d is out of range", n)
		return absent
	}
	return int(n)
}

func (m *metadata) number(key string, absent float64) float64 {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return absent
	}
	switch kv.Raw().(type) {
	case float32, float64:
		return kv.Float64()
	}
	m.fail(key, "%T is not a number", kv.Raw())
	return absent
}

// ggufValue reads a value whose Go type is T: string, bool, []string, []float32, []int32.
func value[T any](m *metadata, key string, absent T) T {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return absent
	}
	v, ok := kv.Raw().(T)
	if !ok {
		m.fail(key, "%T, want %T", kv.Raw(), absent)
		return absent
	}
	return v
}

// token reads a token id that must lie in a vocabulary of size entries; nil when the file names none.
func (m *metadata) token(key string, size int) *int {
	if _, ok := m.file.GetKeyValue(key); !ok {
		return nil
	}
	id := m.integer(key, 0)
	if id < 0 || id >= size {
		m.fail(key, "token %d is outside the vocabulary of %d", id, size)
		return nil
	}
	return &id
}

// configJSON makes the config.json of a LlamaForCausalLM from the metadata.
func (g *File) configJSON() ([]byte, error) {
	m := &metadata{file: g.file}
	if arch := g.file.Architecture(); arch != "llama" {
		return nil, fmt.Errorf("metadata key general.architecture: %q is not supported (only llama)", arch)
	}
	if n := m.integer("llama.expert_count", 0); n > 0 {
		m.fail("llama.expert_count", "%d experts: mixtures are not supported", n)
	}
	embed, ok := g.tensors[config.EmbedTokens]
	if !ok || len(embed.dims) != 2 {
		return nil, fmt.Errorf("tensor token_embd.weight: missing or no matrix (shape %v)", embed.dims)
	}
	heads := m.integer("llama.attention.head_count", 0)
	width := m.integer("llama.embedding_length", 0)
	rope := m.integer("llama.rope.dimension_count", width/max(1, heads))
	head := m.integer("llama.attention.key_length", rope)
	if value := m.integer("llama.attention.value_length", head); value != head || rope != head {
		m.fail("llama.rope.dimension_count", "rotary width %d, key width %d and value width %d must be equal", rope, head, value)
	}
	_, ownHead := g.tensors[config.LMHead]
	keys := map[string]any{
		"architectures": []string{config.ArchLlama}, "model_type": "llama", "torch_dtype": "float32", "hidden_act": "silu",
		"vocab_size": embed.dims[0], "hidden_size": width, "head_dim": head, "num_attention_heads": heads,
		"num_key_value_heads":     m.integer("llama.attention.head_count_kv", heads),
		"intermediate_size":       m.integer("llama.feed_forward_length", 0),
		"num_hidden_layers":       m.integer("llama.block_count", 0),
		"max_position_embeddings": m.integer("llama.context_length", config.DefaultLlamaLength),
		"rms_norm_eps":            m.number("llama.attention.layer_norm_rms_epsilon", 0),
		"rope_theta":              m.number("llama.rope.freq_base", config.DefaultRopeTheta),
		"tie_word_embeddings":     !ownHead, "attention_bias": false, "mlp_bias": false,
		"bos_token_id": m.token("tokenizer.ggml.bos_token_id", embed.dims[0]),
		"eos_token_id": m.token("tokenizer.ggml.eos_token_id", embed.dims[0]),
		"pad_token_id": m.token("tokenizer.ggml.padding_token_id", embed.dims[0]),
	}
	switch kind := value(m, "llama.rope.scaling.type", "none"); kind {
	case "none":
	case "linear":
		keys["rope_scaling"] = map[string]any{"rope_type": kind, "factor": m.number("llama.rope.scaling.factor", 0)}
	default:
		m.fail("llama.rope.scaling.type", "%q is not supported (supported: none, linear)", kind)
	}
	if m.err != nil {
		return nil, m.err
	}
	return config.Marshal(keys)
}
