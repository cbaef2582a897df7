package pretrained

import (
	"fmt"
	"strings"
	"testing"
)

// Errors about a GGUF file name the file and its metadata key, no file or key of a Hugging Face folder, and no Go type.
func TestGGUFMessages(t *testing.T) {
	for _, test := range []struct {
		key   string
		value any // nil: the key is missing
		want  string
	}{
		{"llama.attention.layer_norm_rms_epsilon", nil, "missing"},
		{"llama.attention.layer_norm_rms_epsilon", 0.0, "0 must be a positive number"},
		{"llama.block_count", nil, "missing"},
		{"llama.block_count", 0, "0 is not a size (want 1 to 2^31-1)"},
		{"llama.block_count", "1", "want a whole number, have a text"},
		{"llama.attention.head_count", nil, "missing"},
		{"llama.attention.head_count_kv", []int32{1, 1}, "want a whole number, have a list of whole numbers"},
		{"llama.rope.freq_base", -1.0, "-1 must be a positive number"},
		{"llama.rope.freq_base", []float32{1}, "want a fraction, have a list of fractions"},
		{"llama.rope.scaling.factor", -2.0, "-2 must be a positive number"},
		{"llama.rope.scaling.type", 1, "want a text, have a whole number"},
		{"llama.expert_count", []int32{8}, "a list of whole numbers is not supported (only 0)"},
		{"llama.logit_scale", 4.0, "4 is not supported (only 0 or 1)"},
		{"tokenizer.ggml.tokens", nil, "missing"},
		{"tokenizer.ggml.tokens", []int32{1}, "want a list of texts, have a list of whole numbers"},
		{"tokenizer.ggml.eot_token_id", 77, "token 77 is outside the vocabulary of 5"},
	} {
		meta, tensors := smallGGUF()
		if meta[test.key] = test.value; test.value == nil {
			delete(meta, test.key)
		}
		for _, key := range []string{"bos", "eos"} { // they would be outside of no tokens
			if test.key == "tokenizer.ggml.tokens" {
				delete(meta, "tokenizer.ggml."+key+"_token_id")
			}
		}
		_, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
		want := "m.gguf: metadata key " + test.key + ": " + test.want
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), ".json") {
			t.Errorf("%s = %v: error %v, want one that ends with %q", test.key, test.value, err, want)
		}
	}
}

// A file of very many control tokens, each of which costs memory, is refused.
func TestGGUFManyControlTokens(t *testing.T) {
	meta, tensors := smallGGUF()
	tokens, types := make([]string, 1<<15+1), make([]int32, 1<<15+1)
	for i := range tokens {
		tokens[i], types[i] = fmt.Sprint("<", i, ">"), 3
	}
	meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"] = tokens, types
	_, err := openGGUFBytes(t, encodeGGUF(meta, tensors))
	const want = "m.gguf: metadata key tokenizer.ggml.token_type: more than 32768 control, unknown and user-defined tokens"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error %v, want one that ends with %q", err, want)
	}
}
