package config

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// mistral7B is the config.json of Mistral-7B-v0.1 in the layout of transformers 4. Its use_cache does not affect
// the computation.
const mistral7B = `{"architectures": ["MistralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu",
"hidden_size": 4096, "initializer_range": 0.02, "intermediate_size": 14336, "max_position_embeddings": 32768,
"model_type": "mistral", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"rms_norm_eps": 1e-05, "rope_theta": 10000.0, "sliding_window": 4096, "tie_word_embeddings": false,
"torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 32000}`

// withKeys returns base with some keys replaced; the value "absent" removes a key.
func withKeys(t testing.TB, base string, changes map[string]any) []byte {
	t.Helper()
	keys := map[string]any{}
	if err := json.Unmarshal([]byte(base), &keys); err != nil {
		t.Fatal(err)
	}
	for key, value := range changes {
		keys[key] = value
		if value == "absent" {
			delete(keys, key)
		}
	}
	data, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	got, err := Parse("config.json", []byte(mistral7B))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Architecture: "MistralForCausalLM", ModelType: "mistral", VocabSize: 32000, HiddenSize: 4096, IntermediateSize: 14336,
		NumHiddenLayers: 32, NumAttentionHeads: 32, NumKeyValueHeads: 8, HeadDim: 128, RMSNormEps: 1e-5, RopeTheta: 10000,
		SlidingWindow: 4096, MaxPositionEmbeddings: 32768, BOSTokenID: 1, EOSTokenIDs: []int32{2}, PadTokenID: -1,
		DType: "bfloat16",
	}
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); d != "" {
		t.Error(d)
	}
	if n := got.Parameters(); n != 7_241_732_096 {
		t.Errorf("%d parameters, want 7241732096", n)
	}
}

func TestParseVariants(t *testing.T) {
	llama3 := map[string]any{"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
		"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
	transformers5 := map[string]any{"rope_theta": "absent", "torch_dtype": "absent", "dtype": "float16",
		"rope_parameters": map[string]any{"rope_theta": 1e6, "rope_type": "default"}}
	defaults := map[string]any{"sliding_window": "absent", "num_key_value_heads": "absent", "rope_theta": "absent",
		"rms_norm_eps": "absent", "max_position_embeddings": "absent"}
	tests := []struct {
		name    string
		changes map[string]any
		check   func(c Config) bool
	}{
		{"transformers 5", transformers5,
			func(c Config) bool {
				return c.RopeTheta == 1e6 && c.RopeScaling == RopeScaling{} && c.DType == "float16"
			}},
		{"no window", map[string]any{"sliding_window": nil}, func(c Config) bool { return c.SlidingWindow == 0 }},
		{"defaults of Mistral", defaults,
			func(c Config) bool {
				return c.SlidingWindow == 4096 && c.NumKeyValueHeads == 8 && c.RopeTheta == 10000 && c.RMSNormEps == 1e-6 &&
					c.MaxPositionEmbeddings == 131072
			}},
		{"null key/value heads", map[string]any{"num_key_value_heads": nil},
			func(c Config) bool { return c.NumKeyValueHeads == 32 }},
		{"Llama has no window", map[string]any{"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama"},
			func(c Config) bool { return c.SlidingWindow == 0 }},
		{"model_type alone", map[string]any{"architectures": "absent", "model_type": "llama"},
			func(c Config) bool { return c.Architecture == ArchitectureLlama }},
		{"head_dim", map[string]any{"head_dim": 64}, func(c Config) bool { return c.HeadDim == 64 }},
		{"several end tokens", map[string]any{"eos_token_id": []int{2, 7}, "bos_token_id": nil},
			func(c Config) bool { return len(c.EOSTokenIDs) == 2 && c.BOSTokenID == -1 }},
		{"older name of rope_type", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2}},
			func(c Config) bool { return c.RopeScaling == RopeScaling{Type: "linear", Factor: 2} }},
		{"llama3", map[string]any{"rope_parameters": llama3}, func(c Config) bool {
			return c.RopeTheta == 5e5 && c.RopeScaling == RopeScaling{Type: "llama3", Factor: 8, LowFreqFactor: 1,
				HighFreqFactor: 4, OriginalMaxPosition: 8192}
		}},
		{"yarn", map[string]any{"rope_scaling": map[string]any{"type": "yarn", "factor": 4.5, "beta_fast": 16,
			"mscale": 0.5, "mscale_all_dim": 2, "truncate": false, "finetuned": true}}, func(c Config) bool {
			return c.RopeScaling == RopeScaling{Type: "yarn", Factor: 4.5, OriginalMaxPosition: 32768, BetaFast: 16,
				BetaSlow: 1, MScale: 0.5, MScaleAllDim: 2, KeepsFractionalBounds: true}
		}},
		{"yarn without a factor", map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn"},
			"original_max_position_embeddings": 8192}, func(c Config) bool {
			return c.RopeScaling == RopeScaling{Type: "yarn", Factor: 4, OriginalMaxPosition: 8192, BetaFast: 32, BetaSlow: 1}
		}},
		{"dynamic", map[string]any{"rope_scaling": map[string]any{"type": "dynamic", "factor": 2.0}},
			func(c Config) bool { return c.RopeScaling == RopeScaling{Type: "dynamic", Factor: 2} }},
		{"a scaling twice", map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2.0},
			"rope_parameters": map[string]any{"rope_type": "linear", "factor": 2, "rope_theta": 10000}},
			func(c Config) bool { return c.RopeScaling == RopeScaling{Type: "linear", Factor: 2} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("config.json", withKeys(t, mistral7B, test.changes))
			if err != nil || !test.check(c) {
				t.Fatalf("%+v, %v", c, err)
			}
			data, err := c.JSON("float32")
			if err != nil {
				t.Fatal(err)
			}
			reparsed, err := Parse("config.json", data)
			reparsed.DType = c.DType
			if d := cmp.Diff(c, reparsed, cmpopts.IgnoreUnexported(Config{})); d != "" || err != nil {
				t.Errorf("written and parsed again: %v\n%s\n%s", err, d, data)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		key   string
		value any
		want  string
	}{
		{"architectures", []string{"Qwen2ForCausalLM"}, "key architectures"},
		{"architectures", []string{}, ""},
		{"model_type", "llama", "key model_type"},
		{"attention_bias", true, "key attention_bias"},
		{"mlp_bias", true, "key mlp_bias"},
		{"is_causal", false, "key is_causal"},
		{"is_causal", true, ""},
		{"is_causal", nil, ""},
		{"hidden_act", "gelu", "key hidden_act"},
		{"rope_scaling", map[string]any{"rope_type": "longrope", "factor": 4}, `rope_scaling.rope_type: "longrope"`},
		{"rope_scaling", map[string]any{"rope_type": "yarn", "factor": -4}, "rope_scaling.factor"},
		{"rope_scaling", map[string]any{"rope_type": "yarn", "factor": 4, "attention_factor": 0}, "attention_factor"},
		{"rope_scaling", map[string]any{"rope_type": "yarn", "factor": 4, "attn_factor": 2}, "rope_scaling.attn_factor"},
		{"rope_scaling", map[string]any{"full_attention": map[string]any{"rope_type": "default"}},
			"rope_scaling.full_attention"},
		{"rope_parameters", map[string]any{"rope_type": "linear", "factor": 2, "short_factor": []int{1}}, "short_factor"},
		{"attention_dropout", 0.1, "key attention_dropout"},
		{"use_sliding_window", false, "key use_sliding_window"},
		{"layer_types", []string{"full_attention", "full_attention"}, "key layer_types"},
		{"layer_types", []string{"chunked_attention"}, "chunked_attention"},
		{"layer_types", []string{"sliding_attention", "sliding_attention"}, ""},
		{"attention_dropout", 0, ""},
		{"head_dim", nil, ""},
		{"vocab_size", 1<<31 - 1, "keys vocab_size and hidden_size"},
		{"intermediate_size", 1<<31 - 1, "keys intermediate_size and hidden_size"},
		{"rope_scaling", map[string]any{"rope_type": "linear"}, "rope_scaling.factor"},
		{"rope_parameters", map[string]any{"rope_theta": 1e4, "partial_rotary_factor": 0.5}, "partial_rotary_factor"},
		{"quantization_config", map[string]any{"quant_method": "gptq"}, "key quantization_config"},
		{"rope_scaling", map[string]any{"rope_type": "linear", "factor": "2"},
			`config.json: key rope_scaling.factor: want a number, have "2"`},
		{"vocab_size", json.RawMessage("512.0"), "config.json: key vocab_size: want a whole number, have 512.0"},
		{"eos_token_id", []any{2, "x"}, `config.json: key eos_token_id[1]: want a whole number, have "x"`},
		{"tie_word_embeddings", "yes", `config.json: key tie_word_embeddings: want true or false, have "yes"`},
		{"hidden_size", "absent", "key hidden_size"},
		{"hidden_size", "4096", "key hidden_size"},
		{"hidden_size", 40.5, "key hidden_size"},
		{"hidden_size", 1 << 40, "key hidden_size"},
		{"num_key_value_heads", 5, "key num_key_value_heads"},
		{"num_attention_heads", 0, "key num_attention_heads"},
		{"head_dim", 5, "key head_dim"},
		{"num_hidden_layers", 1 << 20, "key num_hidden_layers"},
		{"rms_norm_eps", 0, "key rms_norm_eps"},
		{"rope_theta", -1, "key rope_theta"},
		{"sliding_window", -1, "key sliding_window"},
		{"eos_token_id", 32000, "key eos_token_id"},
		{"eos_token_id", []int{-2}, "key eos_token_id"},
		{"layer_types", []string{"full_attention", "sliding_attention"}, "key layer_types"},
	}
	for _, test := range tests {
		_, err := Parse("m/config.json", withKeys(t, mistral7B, map[string]any{test.key: test.value}))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s = %v: %v", test.key, test.value, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "m/config.json: ") {
			t.Errorf("%s = %v: error %v, want one that names the file and %q", test.key, test.value, err, test.want)
		}
	}
}

// TestAttentionScale has the values of transformers for the published Yarn-Llama-2 and DeepSeek scalings.
func TestAttentionScale(t *testing.T) {
	for _, test := range []struct {
		scaling RopeScaling
		want    float64
	}{
		{RopeScaling{Type: RopeYaRN, Factor: 16}, 1.2772588722239781},
		{RopeScaling{Type: RopeYaRN, Factor: 0.5}, 1},
		{RopeScaling{Type: RopeYaRN, Factor: 40, MScale: 1, MScaleAllDim: 1}, 1},
		{RopeScaling{Type: RopeYaRN, Factor: 40, MScale: 0.707, MScaleAllDim: 1}, 0.9210423553163399},
		{RopeScaling{Type: RopeYaRN, Factor: 40, MScale: 0.707}, 1.3688879454113936},
		{RopeScaling{Type: RopeYaRN, Factor: 40, AttentionFactor: 0.5}, 0.5},
		{RopeScaling{Type: RopeLinear, Factor: 40}, 1},
	} {
		if got := test.scaling.AttentionScale(); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%+v: %v, want %v", test.scaling, got, test.want)
		}
	}
}

func TestUnknownKeysPassThrough(t *testing.T) {
	c, err := Parse("config.json", withKeys(t, mistral7B, map[string]any{"note": []any{1, "é"}, "mlp_bias": false}))
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.JSON("float32")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"note": [`, `"é"`, `"use_cache": true`, `"mlp_bias": false`, `"torch_dtype": "float32"`, `"rope_theta": 10000.0`,
		`"eos_token_id": 2`, `"sliding_window": 4096`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in\n%s", want, data)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(mistral7B))
	f.Add([]byte(`{"architectures": ["LlamaForCausalLM"], "rope_scaling": {"rope_type": "llama3"}, "eos_token_id": [1]}`))
	f.Add(withKeys(f, mistral7B, map[string]any{"rope_parameters": map[string]any{"rope_type": "yarn", "factor": 4,
		"mscale": 0.5, "mscale_all_dim": 2, "truncate": false}, "layer_types": []string{"sliding_attention"}}))
	f.Add([]byte(`{"model_type":"llama","vocab_size":2147483647,"hidden_size":2147483647,"num_hidden_layers":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, len(data), 10*time.Second, func() { parseTwice(t, data) })
	})
}

// parseTwice parses a config, writes it and parses what was written.
func parseTwice(t *testing.T, data []byte) {
	c, err := Parse("config.json", data)
	if err != nil {
		return
	}
	out, err := c.JSON("float32")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("config.json", out)
	if err != nil {
		t.Fatalf("the written config cannot be parsed: %v\n%s", err, out)
	}
	again.DType = c.DType
	if d := cmp.Diff(c, again, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("the written config differs: %s\n%s", d, out)
	}
	c.Tensors()
}

func TestUnreadGeneration(t *testing.T) {
	for text, want := range map[string][]string{
		`{"eos_token_id": 2, "temperature": 0.6, "do_sample": true, "max_length": 4096, "top_k": 0}`:               nil,
		`{"repetition_penalty": 1.0, "num_beams": 1, "suppress_tokens": [], "min_p": null, "bad_words_ids": null}`: nil,
		`{"repetition_penalty": 1.1, "suppress_tokens": [5], "stop_strings": "###", "min_new_tokens": 4}`: {
			"min_new_tokens", "repetition_penalty", "stop_strings", "suppress_tokens"},
		`{"do_sample": true, "top_k": 20}`: {"top_k"},
		`[]`:                               nil,
	} {
		if got := UnreadGeneration([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func FuzzAlignGeneration(f *testing.F) {
	f.Add([]byte(`{"eos_token_id": [0, 2], "bos_token_id": 1, "_from_model_config": true}`))
	f.Add([]byte(`{"eos_token_id": null}`))
	c, taught := Config{VocabSize: 8}, []int32{2, 5}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, len(data), 10*time.Second, func() {
			ids, err := c.ParseEndTokens("generation_config.json", data)
			if err != nil {
				return
			}
			out, err := c.AlignGeneration("generation_config.json", data, taught)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.ParseEndTokens("generation_config.json", out)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range Union(ids, taught) {
				if !slices.Contains(got, id) {
					t.Fatalf("token %d is missing from %v", id, got)
				}
			}
		})
	})
}
