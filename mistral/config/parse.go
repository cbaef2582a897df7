package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
)

// Parse reads a config.json in the layout of transformers 4 (rope_theta, rope_scaling, torch_dtype) or 5
// (rope_parameters, dtype). Errors name file and the key; file has no other use.
func Parse(file string, data []byte) (Config, error) {
	keys := map[string]json.RawMessage{}
	if err := jsontype.Unmarshal(data, &keys); err != nil {
		return Config{}, fmt.Errorf("%s: not a JSON object: %w", file, err)
	}
	r := &keyReader{file: file, keys: keys}
	c := Config{}
	r.readArchitecture(&c)
	r.readSizes(&c)
	r.readRope(&c)
	c.BOSTokenID = r.token("bos_token_id", 1)
	c.PadTokenID = r.token("pad_token_id", -1)
	c.EOSTokenIDs = r.tokens("eos_token_id", 2)
	c.DType = r.dtype()
	r.rejectUnsupported()
	r.readLayerTypes(c)
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

// readArchitecture reads architectures and model_type. One of the two may be absent.
func (r *keyReader) readArchitecture(c *Config) {
	known := map[string]string{architectureMistral: "mistral", ArchitectureLlama: "llama"}
	var list []string
	r.decode("architectures", &list)
	c.ModelType = r.text("model_type", "")
	if len(list) == 0 {
		for arch, kind := range known {
			if kind == c.ModelType {
				list = []string{arch}
			}
		}
	}
	if len(list) != 1 || known[list[0]] == "" {
		r.fail("architectures", "%q (model_type %q) is not supported (supported: %s, %s)",
			list, c.ModelType, architectureMistral, ArchitectureLlama)
		return
	}
	c.Architecture = list[0]
	if kind := known[c.Architecture]; c.ModelType == "" {
		c.ModelType = kind
	} else if c.ModelType != kind {
		r.fail("model_type", "%q does not belong to %s", c.ModelType, c.Architecture)
	}
}

// readSizes reads the values that determine the shapes, the attention mask and the norms.
func (r *keyReader) readSizes(c *Config) {
	mistral := c.Architecture == architectureMistral
	c.VocabSize = r.integer("vocab_size", 0)
	c.HiddenSize = r.integer("hidden_size", 0)
	c.IntermediateSize = r.integer("intermediate_size", 0)
	c.NumHiddenLayers = r.integer("num_hidden_layers", 0)
	c.NumAttentionHeads = r.integer("num_attention_heads", 0)
	kv, length := c.NumAttentionHeads, DefaultLlamaPositions
	if mistral {
		length = defaultMistralPositions
		if !r.has("num_key_value_heads") {
			kv = defaultMistralKVHeads
		}
	}
	c.NumKeyValueHeads = r.integer("num_key_value_heads", kv)
	c.HeadDim = r.integer("head_dim", c.HiddenSize/max(1, c.NumAttentionHeads))
	c.MaxPositionEmbeddings = r.integer("max_position_embeddings", length)
	c.RMSNormEps = r.number("rms_norm_eps", defaultRMSNormEps)
	c.TieWordEmbeddings = r.boolean("tie_word_embeddings")
	if window := r.integer("sliding_window", 0); mistral {
		c.SlidingWindow = window
		if !r.has("sliding_window") {
			c.SlidingWindow = defaultMistralWindow
		}
	}
}

// rejectUnsupported fails on keys that ask for a computation this project does not implement.
func (r *keyReader) rejectUnsupported() {
	if act := r.text("hidden_act", "silu"); act != "silu" && act != "swish" {
		r.fail("hidden_act", "%q is not supported (only silu)", act)
	}
	for _, key := range []string{"attention_bias", "mlp_bias"} {
		if r.boolean(key) {
			r.fail(key, "true is not supported: the network is computed without biases")
		}
		delete(r.used, key) // so that JSON writes the key back
	}
	causal := true
	if r.decode("is_causal", &causal); !causal {
		r.fail("is_causal", "false is not supported: a token sees those before it only")
	}
	delete(r.used, "is_causal")
	if f := r.number("attention_dropout", 0); f != 0 {
		r.fail("attention_dropout", "%g is not supported: training is computed without dropout, set it to 0", f)
	}
	delete(r.used, "attention_dropout")
	if f := r.number("partial_rotary_factor", 1); f != 1 {
		r.fail("partial_rotary_factor", "%g is not supported (only 1)", f)
	}
	if r.has("quantization_config") && !slices.Equal(r.keys["quantization_config"], []byte("null")) {
		r.fail("quantization_config", "quantised weights are not supported: use the original checkpoint")
	}
}

// readLayerTypes checks that all layers have the same kind of attention, and the kind that sliding_window asks for.
func (r *keyReader) readLayerTypes(c Config) {
	var types []string
	r.decode("layer_types", &types)
	want, other := "full_attention", "sliding_attention"
	if c.SlidingWindow > 0 {
		want, other = other, want
	}
	for _, kind := range types {
		if kind != want && kind != other {
			r.fail("layer_types", "layers with %q are not supported", kind)
		}
	}
	switch {
	case slices.Contains(types, "sliding_attention") && slices.Contains(types, "full_attention"):
		r.fail("layer_types", "a mixture of layers with and without a sliding window is not supported")
	case slices.Contains(types, other):
		r.fail("layer_types", "%q does not agree with sliding_window %d of a %s (0 = none)", other, c.SlidingWindow,
			c.Architecture)
	}
	uses := true
	if r.decode("use_sliding_window", &uses); !uses && c.SlidingWindow > 0 {
		r.fail("use_sliding_window", "false does not agree with sliding_window %d of a %s: set sliding_window to null",
			c.SlidingWindow, c.Architecture)
	}
	delete(r.used, "use_sliding_window")
}

// dtype reads the type of the weights. PyTorch has more types than these, but no checkpoint of weights has them.
func (r *keyReader) dtype() string {
	key, name := "torch_dtype", r.text("torch_dtype", "")
	if newer := r.text("dtype", ""); newer != "" {
		key, name = "dtype", newer
	}
	known := []string{"", "auto", "float32", "float16", "bfloat16", "float64", "float", "half", "double"}
	if !slices.Contains(known, strings.TrimPrefix(name, "torch.")) && !strings.HasPrefix(name, "float8_") {
		r.fail(key, "%q is no type of weights; want float32, float16 or bfloat16", name)
	}
	return name
}
