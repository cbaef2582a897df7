package gguf

import (
	"fmt"
	"math"

	"github.com/gomlx/go-huggingface/models/gguf"

	"github.com/bfpo-go/bfpo/mistral/config"
)

// metadataReader reads values of a file's metadata and keeps the first error, such as a value of the wrong type.
type metadataReader struct {
	file *gguf.File
	err  error
}

func (m *metadataReader) fail(key, format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf("metadata key %s: %s", key, fmt.Sprintf(format, args...))
	}
}

// integer reads a whole number of any width. A missing key gives fallback.
func (m *metadataReader) integer(key string, fallback int) int {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return fallback
	}
	switch kv.Raw().(type) {
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
	default:
		m.fail(key, "want a whole number, have %s", kindOf(kv.Raw()))
		return fallback
	}
	n := kv.Int64()
	if n < math.MinInt32 || n > math.MaxInt32 {
		m.fail(key, "%d is out of range", n)
		return fallback
	}
	return int(n)
}

func (m *metadataReader) number(key string, fallback float64) float64 {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return fallback
	}
	switch kv.Raw().(type) {
	case float32, float64:
		x := kv.Float64()
		if math.IsNaN(x) || math.IsInf(x, 0) {
			m.fail(key, "%v is no number to compute with", x)
			return fallback
		}
		return x
	}
	m.fail(key, "want a fraction, have %s", kindOf(kv.Raw()))
	return fallback
}

// need fails unless the file has the keys.
func (m *metadataReader) need(keys ...string) {
	for _, key := range keys {
		if _, ok := m.file.GetKeyValue(key); !ok {
			m.fail(key, "missing")
		}
	}
}

// contextLength returns the number of positions of the model.
func (m *metadataReader) contextLength() int {
	return m.integer("llama.context_length", config.DefaultLlamaPositions)
}

// headWidth returns the width of a head's queries and keys.
func (m *metadataReader) headWidth() int {
	width := m.integer("llama.embedding_length", 0) / max(1, m.integer("llama.attention.head_count", 0))
	return m.integer("llama.attention.key_length", m.integer("llama.rope.dimension_count", width))
}

// readValue reads a value of the Go type T: string, bool, []string, []float32 or []int32.
func readValue[T any](m *metadataReader, key string, fallback T) T {
	kv, ok := m.file.GetKeyValue(key)
	if !ok {
		return fallback
	}
	v, ok := kv.Raw().(T)
	if !ok {
		m.fail(key, "want %s, have %s", kindOf(fallback), kindOf(kv.Raw()))
		return fallback
	}
	return v
}

// token reads a token id and checks that it is within a vocabulary of the given size. It returns nil if the key is
// missing.
func (m *metadataReader) token(key string, size int) *int {
	if _, ok := m.file.GetKeyValue(key); !ok {
		return nil
	}
	id := m.integer(key, 0)
	if id < 0 || id >= size {
		m.fail(key, "token %d is outside the vocabulary of %d", id, size)
		return nil
	}
	return &id
}
