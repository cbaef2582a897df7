package pretrained

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// FuzzGGUFTokenizer puts a vocabulary into the metadata of a sound file and reads the tokenizer that is built of it: no
// id is outside the vocabulary. The tokens and merges are texts between line feeds, the kinds of tokens bytes, and the
// scores of tokens signed bytes.
func FuzzGGUFTokenizer(f *testing.F) {
	f.Add("gpt2", "smollm", "<s>\n</s>\na\nb\nab", "a b", []byte{3, 3, 1, 1, 1}, []byte{}, byte(1), "ab b</s>")
	f.Add("gpt2", "llama-bpe", "a\nb\nab\nĠ\nĠab\n<x>", "a b\nĠ ab", []byte{1, 1, 1, 1, 1, 4}, []byte{}, byte(0),
		"ab ab<x>")
	f.Add("llama", "", "<unk>\n<s>\n</s>\n<0x41>\n▁\na\nb\n▁a\nab\n▁ab", "", []byte{2, 3, 3, 6, 1, 1, 1, 1, 1, 1},
		[]byte{0, 0, 0, 0, 255, 254, 253, 252, 251, 250}, byte(7), "ab a")
	f.Fuzz(func(t *testing.T, model, pre, tokens, merges string, kinds, scores []byte, flags byte, text string) {
		meta, tensors := smallGGUF()
		list := strings.Split(tokens, "\n")
		meta["tokenizer.ggml.model"], meta["tokenizer.ggml.pre"], meta["tokenizer.ggml.tokens"] = model, pre, list
		meta["tokenizer.ggml.merges"] = strings.Split(merges, "\n")
		types, values := make([]int32, len(kinds)), make([]float32, len(scores))
		for i, kind := range kinds {
			types[i] = int32(kind)
		}
		for i, score := range scores {
			values[i] = float32(int8(score))
		}
		meta["tokenizer.ggml.token_type"], meta["tokenizer.ggml.scores"] = types, values
		meta["tokenizer.ggml.add_bos_token"], meta["tokenizer.ggml.add_space_prefix"] = flags&1 > 0, flags&2 > 0
		if flags&4 > 0 {
			meta["tokenizer.ggml.unknown_token_id"] = int(flags >> 4)
		}
		data := encodeGGUF(meta, tensors)
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		fuzztest.BoundedLive(t, len(data)+len(text), 10*time.Second, func() { encodeWithGGUF(t, path, len(list), text) })
	})
}

// encodeWithGGUF encodes and decodes a text with the tokenizer of a file of so many tokens.
func encodeWithGGUF(t *testing.T, path string, tokens int, text string) {
	c, err := Open(path)
	if err != nil {
		return
	}
	defer c.Close()
	read, err := tokenizer.New(c.ReadFile)
	if err != nil {
		return
	}
	ids := read.Encode(text, true)
	for _, id := range ids {
		if id < 0 || int(id) >= tokens {
			t.Fatalf("id %d is outside the vocabulary of %d", id, tokens)
		}
	}
	read.Decode(ids, true)
}
