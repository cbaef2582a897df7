package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Config holds what a Hugging Face config.json states about a Mistral or Llama network.
//
// Keys that do not affect the computation are kept as they are, and JSON writes them back.
type Config struct {
	Architecture string // "MistralForCausalLM" or "LlamaForCausalLM"
	ModelType    string // "mistral" or "llama"

	VocabSize         int
	HiddenSize        int
	IntermediateSize  int
	NumHiddenLayers   int
	NumAttentionHeads int
	NumKeyValueHeads  int
	HeadDim           int // HiddenSize / NumAttentionHeads unless the file has a head_dim

	RMSNormEps            float64
	RopeTheta             float64
	RopeScaling           RopeScaling // the zero value is no scaling
	RopeFactors           []float32   `json:",omitempty"` // divide the frequencies; from a GGUF file, nil = all are 1
	SlidingWindow         int         // keys that a query attends to, its own included; 0 = all (always for Llama)
	MaxPositionEmbeddings int
	TieWordEmbeddings     bool

	BOSTokenID  int32   // -1 = none
	EOSTokenIDs []int32 // may be empty
	PadTokenID  int32   // -1 = none

	DType string // the file's torch_dtype or dtype ("float32", "bfloat16", "float16"); "" when it has neither

	extra map[string]json.RawMessage // all other keys of the file, verbatim
}

// The supported architectures.
const (
	architectureMistral = "MistralForCausalLM"
	ArchitectureLlama   = "LlamaForCausalLM"
)

// The defaults of transformers' MistralConfig and LlamaConfig for keys that a file leaves out.
const (
	DefaultRopeTheta        = 10000
	defaultRMSNormEps       = 1e-6
	defaultMistralWindow    = 4096
	defaultMistralKVHeads   = 8
	defaultMistralPositions = 4096 * 32
	DefaultLlamaPositions   = 2048
)

// Validate checks that the values describe a network that can be built. Errors name the key of config.json.
func (c Config) Validate() error {
	if err := c.validateSizes(); err != nil {
		return err
	}
	if !(c.RMSNormEps > 0) || math.IsInf(c.RMSNormEps, 0) {
		return keyError("rms_norm_eps", "%g must be a positive number", c.RMSNormEps)
	}
	if err := checkRope("rope_theta", c.RopeTheta); err != nil {
		return err
	}
	if c.SlidingWindow < 0 {
		return keyError("sliding_window", "%d must be a positive number or null", c.SlidingWindow)
	}
	for key, ids := range map[string][]int32{
		"bos_token_id": {c.BOSTokenID}, "pad_token_id": {c.PadTokenID}, "eos_token_id": c.EOSTokenIDs,
	} {
		for _, id := range ids {
			if int(id) >= c.VocabSize {
				return keyError(key, "token %d is outside the vocabulary of %d", id, c.VocabSize)
			}
		}
	}
	if n := len(c.RopeFactors); n > 0 && n != c.HeadDim/2 {
		return fmt.Errorf("%d rope factors for heads of width %d (want one for every two values)", n, c.HeadDim)
	}
	return errors.Join(c.validateTensorSizes(), c.RopeScaling.validate())
}

// validateSizes checks every size and how the sizes fit together.
func (c Config) validateSizes() error {
	for _, f := range []struct {
		key   string
		value int
	}{
		{"vocab_size", c.VocabSize}, {"hidden_size", c.HiddenSize}, {"intermediate_size", c.IntermediateSize},
		{"num_hidden_layers", c.NumHiddenLayers}, {"num_attention_heads", c.NumAttentionHeads},
		{"num_key_value_heads", c.NumKeyValueHeads}, {"head_dim", c.HeadDim},
		{"max_position_embeddings", c.MaxPositionEmbeddings},
	} {
		if f.value <= 0 || f.value > math.MaxInt32 {
			return keyError(f.key, "%d is not a size (want 1 to 2^31-1)", f.value)
		}
	}
	if c.NumHiddenLayers > 1<<14 {
		return keyError("num_hidden_layers", "%d is more layers than any known network has", c.NumHiddenLayers)
	}
	if c.NumAttentionHeads%c.NumKeyValueHeads != 0 {
		return keyError("num_key_value_heads", "%d attention heads cannot be divided among %d key/value heads",
			c.NumAttentionHeads, c.NumKeyValueHeads)
	}
	if c.HeadDim%2 != 0 {
		return keyError("head_dim", "%d is odd, but rotary embedding rotates pairs", c.HeadDim)
	}
	if int64(c.NumAttentionHeads)*int64(c.HeadDim) > math.MaxInt32 {
		return keyError("head_dim", "%d heads of width %d are too wide together", c.NumAttentionHeads, c.HeadDim)
	}
	return nil
}

// Limits far above the sizes of any known network, and below those at which a compiler's own arithmetic overflows.
const (
	maxWidth          = 1 << 20 // of hidden states, of the MLP and of all heads together
	maxVocabulary     = 1 << 24
	maxTensorElements = 1 << 40
)

// validateTensorSizes checks the sizes of the matrices.
func (c Config) validateTensorSizes() error {
	for _, m := range []struct {
		keys             []string
		rows, cols, most int
	}{
		{[]string{"vocab_size", "hidden_size"}, c.VocabSize, c.HiddenSize, maxVocabulary},
		{[]string{"intermediate_size", "hidden_size"}, c.IntermediateSize, c.HiddenSize, maxWidth},
		{[]string{"num_attention_heads", "head_dim", "hidden_size"}, c.NumAttentionHeads * c.HeadDim, c.HiddenSize,
			maxWidth},
	} {
		if m.rows > m.most || m.cols > maxWidth || int64(m.rows)*int64(m.cols) > maxTensorElements {
			return &KeyError{m.keys, fmt.Sprintf("a matrix of %d x %d elements is larger than any known network has",
				m.rows, m.cols)}
		}
	}
	return nil
}
