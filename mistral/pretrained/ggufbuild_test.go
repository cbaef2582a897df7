package pretrained

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	ggml "github.com/gomlx/go-huggingface/models/gguf"
)

// ggufTensor is one tensor of a test file.
type ggufTensor struct {
	name   string
	dims   []uint64 // innermost first, the order of the format
	kind   ggml.TensorType
	data   []byte
	offset int64 // the offset in the description; -1 = where the data are
}

// encodeGGUFValue encodes a metadata value and its type.
func encodeGGUFValue(value any) []byte {
	var out []byte
	u32 := func(v uint32) { out = binary.LittleEndian.AppendUint32(out, v) }
	text := func(s string) { out = append(binary.LittleEndian.AppendUint64(out, uint64(len(s))), s...) }
	list := func(kind uint32, n int) { u32(9); u32(kind); out = binary.LittleEndian.AppendUint64(out, uint64(n)) }
	switch v := value.(type) {
	case string:
		u32(8)
		text(v)
	case int:
		u32(4)
		u32(uint32(v))
	case float64:
		u32(6)
		u32(math.Float32bits(float32(v)))
	case bool:
		u32(7)
		out = append(out, map[bool]byte{true: 1}[v])
	case []string:
		list(8, len(v))
		for _, s := range v {
			text(s)
		}
	case []int32:
		list(5, len(v))
		for _, n := range v {
			u32(uint32(n))
		}
	case []float32:
		list(6, len(v))
		for _, f := range v {
			u32(math.Float32bits(f))
		}
	}
	return out
}

// encodeGGUF returns the bytes of a file.
func encodeGGUF(meta map[string]any, tensors []ggufTensor) []byte {
	out := binary.LittleEndian.AppendUint32([]byte("GGUF"), 3)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(tensors)))
	out = binary.LittleEndian.AppendUint64(out, uint64(len(meta)))
	text := func(s string) { out = append(binary.LittleEndian.AppendUint64(out, uint64(len(s))), s...) }
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		text(key)
		out = append(out, encodeGGUFValue(meta[key])...)
	}
	var data []byte
	for _, t := range tensors {
		text(t.name)
		out = binary.LittleEndian.AppendUint32(out, uint32(len(t.dims)))
		for _, d := range t.dims {
			out = binary.LittleEndian.AppendUint64(out, d)
		}
		out = binary.LittleEndian.AppendUint32(out, uint32(t.kind))
		offset := t.offset
		if offset < 0 {
			offset = int64(len(data))
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(offset))
		data = append(data, t.data...)
		for len(data)%32 != 0 {
			data = append(data, 0)
		}
	}
	for len(out)%32 != 0 {
		out = append(out, 0)
	}
	return append(out, data...)
}

// float32Bytes encodes numbers as float32.
func float32Bytes(values ...float32) []byte {
	var out []byte
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

// countingUp returns 0, 1, ... n-1.
func countingUp(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)
	}
	return out
}

// smallGGUF returns the metadata and the tensors of a network with one layer: hidden size 8, 2 attention heads of
// width 4, 1 key/value head, intermediate size 32 (Q8_0) and a vocabulary of 5.
func smallGGUF() (map[string]any, []ggufTensor) {
	meta := map[string]any{
		"general.architecture": "llama", "llama.block_count": 1, "llama.context_length": 64, "llama.embedding_length": 8,
		"llama.feed_forward_length": 32, "llama.attention.head_count": 2, "llama.attention.head_count_kv": 1,
		"llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 5000.0,
		"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm",
		"tokenizer.ggml.tokens":     []string{"<s>", "</s>", "a", "b", "ab"},
		"tokenizer.ggml.token_type": []int32{3, 3, 1, 1, 1}, "tokenizer.ggml.merges": []string{"a b"},
		"tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1, "tokenizer.chat_template": "{{ messages }}",
	}
	q8 := func(rows int) []byte { // every block has the scale 0.5 and the values 0, 1, ... 31
		var out []byte
		for range rows {
			out = append(out, 0x00, 0x38)
			for i := range 32 {
				out = append(out, byte(i))
			}
		}
		return out
	}
	matrix := func(name string, in, out uint64) ggufTensor {
		return ggufTensor{name, []uint64{in, out}, ggml.TensorTypeF32, float32Bytes(countingUp(int(in * out))...), -1}
	}
	norm := func(name string) ggufTensor {
		return ggufTensor{name, []uint64{8}, ggml.TensorTypeF32, float32Bytes(countingUp(8)...), -1}
	}
	return meta, []ggufTensor{
		matrix("token_embd.weight", 8, 5), norm("blk.0.attn_norm.weight"), matrix("blk.0.attn_q.weight", 8, 8),
		matrix("blk.0.attn_k.weight", 8, 4), matrix("blk.0.attn_v.weight", 8, 4), matrix("blk.0.attn_output.weight", 8, 8),
		norm("blk.0.ffn_norm.weight"), matrix("blk.0.ffn_gate.weight", 8, 32), matrix("blk.0.ffn_up.weight", 8, 32),
		{"blk.0.ffn_down.weight", []uint64{32, 8}, ggml.TensorTypeQ8_0, q8(8), -1}, norm("output_norm.weight"),
	}
}
