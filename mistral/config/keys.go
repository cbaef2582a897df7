package config

import (
	"encoding/json"
	"fmt"
	"slices"
)

// keyReader takes values out of a config.json, keeps the first error and remembers which keys have been read.
// A null counts as absent, except for has.
type keyReader struct {
	file string
	keys map[string]json.RawMessage
	used map[string]bool
	err  error
}

// has says whether the key stands in the file, also with null.
func (r *keyReader) has(key string) bool {
	_, ok := r.keys[key]
	return ok
}

func (r *keyReader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: key %s: %s", r.file, key, fmt.Sprintf(format, args...))
	}
}

// decode reads a key into target and says whether it was there.
func (r *keyReader) decode(key string, target any) bool {
	if r.used == nil {
		r.used = map[string]bool{}
	}
	r.used[key] = true
	raw, ok := r.keys[key]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, target); err != nil {
		r.fail(key, "%.80s has the wrong type: %v", raw, err)
		return false
	}
	return true
}

// integer reads a whole number; one that is absent without a default (0) fails later, in Validate.
func (r *keyReader) integer(key string, absent int) int {
	v := absent
	r.decode(key, &v)
	return v
}

func (r *keyReader) number(key string, absent float64) float64 {
	v := absent
	r.decode(key, &v)
	return v
}

func (r *keyReader) boolean(key string) bool {
	v := false
	r.decode(key, &v)
	return v
}

func (r *keyReader) text(key, absent string) string {
	v := absent
	r.decode(key, &v)
	return v
}

// token reads a token id: absent gives the default of transformers, null gives -1 (none).
func (r *keyReader) token(key string, absent int32) int32 {
	id := int32(-1)
	if !r.decode(key, &id) && !r.has(key) {
		return absent
	}
	if id < -1 {
		r.fail(key, "token %d is negative", id)
	}
	return id
}

// tokens reads one token id or a list of them.
func (r *keyReader) tokens(key string, absent int32) []int32 {
	var list []int32
	if raw := r.keys[key]; len(raw) > 0 && raw[0] == '[' {
		r.decode(key, &list)
	} else if id := r.token(key, absent); id >= 0 {
		list = []int32{id}
	}
	for _, id := range list {
		if id < 0 {
			r.fail(key, "token %d is negative", id)
		}
	}
	return list
}

// architecture reads architectures and model_type, of which one may be absent.
func (r *keyReader) architecture(c *Config) {
	known := map[string]string{archMistral: "mistral", ArchLlama: "llama"}
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
		r.fail("architectures", "%q (model_type %q) is not supported (supported: %s, %s)", list, c.ModelType, archMistral, ArchLlama)
		return
	}
	c.Architecture = list[0]
	if kind := known[c.Architecture]; c.ModelType == "" {
		c.ModelType = kind
	} else if c.ModelType != kind {
		r.fail("model_type", "%q does not belong to %s", c.ModelType, c.Architecture)
	}
}

// sizes reads the numbers that make the shapes, the mask and the norms.
func (r *keyReader) sizes(c *Config) {
	mistral := c.Architecture == archMistral
	c.VocabSize = r.integer("vocab_size", 0)
	c.HiddenSize = r.integer("hidden_size", 0)
	c.IntermediateSize = r.integer("intermediate_size", 0)
	c.NumHiddenLayers = r.integer("num_hidden_layers", 0)
	c.NumAttentionHeads = r.integer("num_attention_heads", 0)
	kv, length := c.NumAttentionHeads, DefaultLlamaLength
	if mistral {
		length = defaultMistralLength
		if !r.has("num_key_value_heads") {
			kv = defaultMistralKV
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

// ropeKeys are the values of rope_scaling (transformers 4) and of rope_parameters (transformers 5).
type ropeKeys struct {
	RopeType       string   `json:"rope_type"`
	Type           string   `json:"type"` // older name of rope_type
	Theta          *float64 `json:"rope_theta"`
	Factor         float64  `json:"factor"`
	LowFreqFactor  float64  `json:"low_freq_factor"`
	HighFreqFactor float64  `json:"high_freq_factor"`
	Original       int      `json:"original_max_position_embeddings"`
	Partial        *float64 `json:"partial_rotary_factor"`
}

// rope reads theta and scaling in both layouts.
func (r *keyReader) rope(c *Config) {
	c.RopeTheta = r.number("rope_theta", DefaultRopeTheta)
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		var k ropeKeys
		if !r.decode(key, &k) {
			continue
		}
		if k.Theta != nil {
			c.RopeTheta = *k.Theta
		}
		if k.Partial != nil && *k.Partial != 1 {
			r.fail(key+".partial_rotary_factor", "%g is not supported (only 1)", *k.Partial)
		}
		kind := k.RopeType
		if kind == "" {
			kind = k.Type
		}
		switch kind {
		case "", "default":
		case "linear":
			c.RopeScaling = RopeScaling{Type: kind, Factor: k.Factor}
		case "llama3":
			c.RopeScaling = RopeScaling{Type: kind, Factor: k.Factor, LowFreqFactor: k.LowFreqFactor, HighFreqFactor: k.HighFreqFactor, OriginalMaxPosition: k.Original}
		default:
			r.fail(key+".rope_type", "%q is not supported (supported: default, linear, llama3)", kind)
		}
	}
}

// refuse stops at keys that would change the computation into one this package does not do.
func (r *keyReader) refuse() {
	if act := r.text("hidden_act", "silu"); act != "silu" && act != "swish" {
		r.fail("hidden_act", "%q is not supported (only silu)", act)
	}
	for _, key := range []string{"attention_bias", "mlp_bias"} {
		if r.boolean(key) {
			r.fail(key, "true is not supported: this network has no biases")
		}
		delete(r.used, key) // written back as it stands
	}
	if f := r.number("partial_rotary_factor", 1); f != 1 {
		r.fail("partial_rotary_factor", "%g is not supported (only 1)", f)
	}
	if r.has("quantization_config") && !slices.Equal(r.keys["quantization_config"], []byte("null")) {
		r.fail("quantization_config", "quantised weights are not supported: use the original checkpoint")
	}
	var types []string
	if r.decode("layer_types", &types); slices.Contains(types, "sliding_attention") && slices.Contains(types, "full_attention") {
		r.fail("layer_types", "layers with and without a window in one network are not supported")
	}
}
