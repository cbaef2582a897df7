package gguf

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// readKeys lists the keys of the llama architecture that other functions read, and those that change nothing here.
func readKeys() []string {
	return []string{
		"block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
		"attention.head_count_kv", "attention.key_length", "attention.value_length",
		"attention.layer_norm_rms_epsilon", "rope.dimension_count", "rope.freq_base", "rope.scale_linear",
		"rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.attn_factor",
		"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_beta_fast",
		"rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier",
		"vocab_size",                   // the embedding has it too
		"attention.layer_norm_epsilon", // of norms that a Llama network does not have
		"rope.scaling.finetuned",       // a remark
	}
}

// neutralValues lists the values at which a key changes nothing. Any other value asks for a computation that this
// project does not implement. Booleans are 0 and 1.
func neutralValues() map[string][]float64 {
	return map[string][]float64{
		"expert_count": {0}, "expert_used_count": {0}, "expert_shared_count": {0}, "expert_feed_forward_length": {0},
		"expert_weights_scale": {0, 1}, "leading_dense_block_count": {0}, "interleave_moe_layer_step": {0},
		"attention.causal": {1}, "pooling_type": {0}, "attention.clamp_kqv": {0}, "attention.max_alibi_bias": {0},
		"attn_logit_softcapping": {0}, "final_logit_softcapping": {0}, "attention.temperature_scale": {0},
		"logit_scale": {0, 1}, "residual_scale": {0, 1}, "embedding_scale": {0, 1}, "use_parallel_residual": {0},
		"swin_norm": {0},
	}
}

// checkKeys refuses metadata that changes the computation and is not read, and keys that are not known and may do so.
func (m *metadataReader) checkKeys() error {
	if arch := m.file.Architecture(); arch != "llama" {
		return fmt.Errorf("metadata key general.architecture: %q is not supported (only llama)", arch)
	}
	if kind := readValue(m, "general.type", "model"); kind != "model" {
		m.fail("general.type", "%q is not a whole model", kind)
	}
	if n := m.integer("split.count", 1); n > 1 {
		m.fail("split.count", "the model is split into %d files: merge them into one first (llama-gguf-split --merge)", n)
	}
	for _, kv := range m.file.KeyValues {
		if name, ok := strings.CutPrefix(kv.Key, "llama."); ok && !slices.Contains(readKeys(), name) {
			m.checkNeutral(kv.Key, name, kv.Raw())
		}
	}
	return m.err
}

// checkNeutral fails unless the value of a key that is not read changes nothing.
func (m *metadataReader) checkNeutral(key, name string, value any) {
	number, isNumber := asNumber(value)
	switch neutral, known := neutralValues()[name]; {
	case name == "tensor_data_layout":
		if value != "Meta AI original pth" { // the order of rows that unpermute expects
			m.fail(key, "%s is not supported", shown(value))
		}
	case name == "attention.sliding_window":
		if context := m.contextLength(); !isNumber || number != 0 && number < float64(context) {
			m.fail(key, "a window of %s tokens in a context of %d is not supported: use the model's Hugging Face folder",
				shown(value), context)
		}
	case name == "attention.scale":
		if usual := 1 / math.Sqrt(float64(m.headWidth())); !isNumber || number != 0 && math.Abs(number-usual) > 1e-6 {
			m.fail(key, "%s is not supported (only %.6g, the usual scale of these heads)", shown(value), usual)
		}
	case !known:
		m.fail(key, "it is not known here and may change what the network computes: use the model's Hugging Face folder")
	case !isNumber || !slices.Contains(neutral, number):
		m.fail(key, "%s is not supported (only %s)", shown(value), numbers(neutral))
	}
}

// asNumber returns the value of a number or a boolean.
func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float32:
		return float64(v), true
	case float64:
		return v, true
	case int8:
		return float64(v), true
	case int16:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint8:
		return float64(v), true
	case uint16:
		return float64(v), true
	case uint32:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}
