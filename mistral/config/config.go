package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Config is a Hugging Face config.json of a Mistral or Llama network.
//
// ParseConfig reads the layouts of transformers 4 (rope_theta, rope_scaling, torch_dtype) and 5 (rope_parameters, dtype).
// Keys that say nothing about the computation are kept and written back by JSON.
type Config struct {
	Architecture string // "MistralForCausalLM" or "LlamaForCausalLM"
	ModelType    string // "mistral" or "llama"

	VocabSize         int
	HiddenSize        int
	IntermediateSize  int
	NumHiddenLayers   int
	NumAttentionHeads int
	NumKeyValueHeads  int
	HeadDim           int // HiddenSize / NumAttentionHeads unless the file says otherwise

	RMSNormEps            float64
	RopeTheta             float64
	RopeScaling           RopeScaling // zero value: none
	SlidingWindow         int         // keys a query sees, itself included; 0 = all. Always 0 for Llama
	MaxPositionEmbeddings int
	TieWordEmbeddings     bool

	BOSTokenID  int32   // -1 = none
	EOSTokenIDs []int32 // may be empty
	PadTokenID  int32   // -1 = none

	DType string // torch_dtype of the file ("float32", "bfloat16", "float16"); "" when it does not say

	extra map[string]json.RawMessage // the file's other keys, as they stand
}

// RopeScaling changes the rotary frequencies for long contexts.
type RopeScaling struct {
	Type   string  // "" (none), "linear" or "llama3"
	Factor float64 // positions are divided by Factor (llama3: only low frequencies)

	// Only for llama3.
	LowFreqFactor, HighFreqFactor float64
	OriginalMaxPosition           int
}

const (
	archMistral = "MistralForCausalLM"
	ArchLlama   = "LlamaForCausalLM"

	// The defaults of transformers' MistralConfig and LlamaConfig for keys that a file leaves out.
	DefaultRopeTheta     = 10000
	defaultRMSNormEps    = 1e-6
	defaultMistralWindow = 4096
	defaultMistralKV     = 8
	defaultMistralLength = 4096 * 32
	DefaultLlamaLength   = 2048
)

// ParseConfig reads a config.json. file is only used to name the place in errors.
func Parse(file string, data []byte) (Config, error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &keys); err != nil {
		return Config{}, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	r := &keyReader{file: file, keys: keys}
	c := Config{}
	r.architecture(&c)
	r.sizes(&c)
	r.rope(&c)
	c.BOSTokenID = r.token("bos_token_id", 1)
	c.PadTokenID = r.token("pad_token_id", -1)
	c.EOSTokenIDs = r.tokens("eos_token_id", 2)
	c.DType = r.text("dtype", r.text("torch_dtype", ""))
	r.refuse()
	if r.err != nil {
		return Config{}, r.err
	}
	if err := c.Validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", file, err)
	}
	for key := range r.used {
		delete(keys, key)
	}
	c.extra = keys
	return c, nil
}

// Validate checks that the sizes make a network. Errors name the key of config.json.
func (c Config) Validate() error {
	for _, f := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"hidden_size", c.HiddenSize}, {"intermediate_size", c.IntermediateSize},
		{"num_hidden_layers", c.NumHiddenLayers}, {"num_attention_heads", c.NumAttentionHeads},
		{"num_key_value_heads", c.NumKeyValueHeads}, {"head_dim", c.HeadDim}, {"max_position_embeddings", c.MaxPositionEmbeddings},
	} {
		if f.value <= 0 || f.value > math.MaxInt32 {
			return fmt.Errorf("key %s: %d is not a size (want 1 to 2^31-1)", f.key, f.value)
		}
	}
	if c.NumHiddenLayers > 1<<14 {
		return fmt.Errorf("key num_hidden_layers: %d layers is more than any known network has", c.NumHiddenLayers)
	}
	if c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		return fmt.Errorf("key num_key_value_heads: %d heads cannot be shared out over %d key/value heads", c.NumAttentionHeads, c.NumKeyValueHeads)
	}
	if c.HeadDim%2 != 0 {
		return fmt.Errorf("key head_dim: %d is odd, rotary embedding needs pairs", c.HeadDim)
	}
	if int64(c.NumAttentionHeads)*int64(c.HeadDim) > math.MaxInt32 {
		return fmt.Errorf("key head_dim: %d heads of %d are too wide", c.NumAttentionHeads, c.HeadDim)
	}
	if !(c.RMSNormEps > 0) || math.IsInf(c.RMSNormEps, 0) {
		return fmt.Errorf("key rms_norm_eps: %g must be a positive number", c.RMSNormEps)
	}
	if !(c.RopeTheta > 0) || math.IsInf(c.RopeTheta, 0) {
		return fmt.Errorf("key rope_theta: %g must be a positive number", c.RopeTheta)
	}
	if c.SlidingWindow < 0 {
		return fmt.Errorf("key sliding_window: %d must be a positive number or null", c.SlidingWindow)
	}
	for key, ids := range map[string][]int32{"bos_token_id": {c.BOSTokenID}, "pad_token_id": {c.PadTokenID}, "eos_token_id": c.EOSTokenIDs} {
		for _, id := range ids {
			if int(id) >= c.VocabSize {
				return fmt.Errorf("key %s: token %d is outside the vocabulary of %d", key, id, c.VocabSize)
			}
		}
	}
	return c.RopeScaling.validate()
}

func (s RopeScaling) validate() error {
	positive := func(key string, v float64) error {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("key rope_scaling.%s: %g must be a positive number", key, v)
		}
		return nil
	}
	switch s.Type {
	case "":
		return nil
	case "linear":
		return positive("factor", s.Factor)
	case "llama3":
		err := errors.Join(positive("factor", s.Factor), positive("low_freq_factor", s.LowFreqFactor), positive("high_freq_factor", s.HighFreqFactor),
			positive("original_max_position_embeddings", float64(s.OriginalMaxPosition)))
		if err == nil && s.HighFreqFactor <= s.LowFreqFactor {
			err = fmt.Errorf("key rope_scaling.high_freq_factor: %g must be above low_freq_factor %g", s.HighFreqFactor, s.LowFreqFactor)
		}
		return err
	}
	return fmt.Errorf("key rope_scaling.rope_type: %q is not known (known: default, linear, llama3)", s.Type)
}

// CheckVocabulary returns an error unless every id of a tokenizer with size entries has a row in the embedding.
// A model may have more rows than the tokenizer has entries (padding of the matrix), never fewer.
func CheckVocabulary(c Config, size int) error {
	if size > c.VocabSize {
		return fmt.Errorf("the tokenizer has %d tokens but the model's vocab_size is %d: they do not belong together", size, c.VocabSize)
	}
	return nil
}
