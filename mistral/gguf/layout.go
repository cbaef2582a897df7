package gguf

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/gomlx/go-huggingface/models/gguf"
)

// layout lists the tensors of a file in the order of their descriptions. The rules are those of llama.cpp: the data
// lie in this order, each tensor begins at the next multiple of the alignment, and nothing else is between them.
type layout struct {
	tensors   []string
	alignment uint64
}

// defaultAlignment is the alignment of a file that has no general.alignment.
const defaultAlignment = 32

// check checks what the library does not: names that appear twice, types that cannot be dequantised, and the place of
// every tensor in a file of size bytes. The library sorts tensors by their offsets, which changes nothing in a file
// that passes.
func (l layout) check(file *gguf.File, size uint64) error {
	keys := map[string]bool{}
	for _, kv := range file.KeyValues {
		if keys[kv.Key] {
			return fmt.Errorf("metadata key %s appears twice", kv.Key)
		}
		keys[kv.Key] = true
	}
	start := uint64(file.DataOffset())
	if start > size && len(l.tensors) > 0 {
		return fmt.Errorf("alignment %d places the data at byte %d of %d", l.alignment, start, size)
	}
	infos := map[string]gguf.TensorInfo{}
	for _, t := range file.TensorInfos {
		if _, twice := infos[t.Name]; twice {
			return fmt.Errorf("tensor %s appears twice", t.Name)
		}
		infos[t.Name] = t
	}
	next := uint64(0)
	for _, name := range l.tensors {
		t := infos[name]
		bytes, err := tensorBytes(t)
		if err != nil {
			return fmt.Errorf("tensor %s: %w", name, err)
		}
		switch {
		case t.Offset > size-start || bytes > size-start-t.Offset:
			return fmt.Errorf("tensor %s: its %d bytes at %d are beyond the end of the file: it is truncated or damaged",
				name, bytes, t.Offset)
		case t.Offset < next:
			return fmt.Errorf("tensor %s: it starts at %d and overlaps the tensor before it (want %d)", name, t.Offset, next)
		case t.Offset > next:
			return fmt.Errorf("tensor %s: it starts at %d, want %d, the next multiple of the alignment %d: "+
				"holes are not allowed", name, t.Offset, next, l.alignment)
		}
		next = (t.Offset + bytes + l.alignment - 1) / l.alignment * l.alignment
	}
	return nil
}

// tensorBytes returns the number of bytes that a tensor takes up in the file.
func tensorBytes(t gguf.TensorInfo) (uint64, error) {
	switch t.Type {
	case gguf.TensorTypeF32, gguf.TensorTypeF16, gguf.TensorTypeBF16,
		gguf.TensorTypeQ4_0, gguf.TensorTypeQ4_1, gguf.TensorTypeQ5_0, gguf.TensorTypeQ5_1, gguf.TensorTypeQ8_0,
		gguf.TensorTypeQ2_K, gguf.TensorTypeQ3_K, gguf.TensorTypeQ4_K, gguf.TensorTypeQ5_K, gguf.TensorTypeQ6_K:
	default:
		return 0, fmt.Errorf("type %s is not supported", t.Type)
	}
	if len(t.Shape) == 0 {
		return 0, errors.New("it has no dimensions")
	}
	if slices.Contains(t.Shape, 0) {
		return 0, fmt.Errorf("shape %v has no elements", t.Shape)
	}
	block := uint64(t.Type.BlockSize())
	if t.Shape[0]%block != 0 {
		return 0, fmt.Errorf("rows of %d values cannot be divided into blocks of %d", t.Shape[0], block)
	}
	n := t.Shape[0] / block * uint64(t.Type.TypeSize())
	if t.Shape[0]/block > 1<<48 {
		return 0, fmt.Errorf("shape %v is too large", t.Shape)
	}
	for _, d := range t.Shape[1:] {
		var over uint64
		if over, n = bits.Mul64(n, d); over != 0 || n > 1<<56 {
			return 0, fmt.Errorf("shape %v is too large", t.Shape)
		}
	}
	return n, nil
}
