package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Source describes a tensor to be written. Data is called once, when the tensor is written, so that only one tensor
// has to be in memory at a time.
type Source struct {
	Name  string
	DType dtypes.DType
	Dims  []int
	Data  func() ([]byte, error) // little endian, row-major
}

// Size returns the number of bytes that Data must return.
func (t Source) Size() int64 {
	n := int64(t.DType.Size())
	for _, d := range t.Dims {
		n *= int64(d)
	}
	return n
}

// Write writes the tensors to a file in the given order. The same input gives the same bytes. The file appears
// under its name only when it is complete and on disk; an error leaves nothing behind.
func Write(path string, metadata map[string]string, tensors []Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, metadata, tensors) })
}

// Encode writes to w the bytes that Write would write to a file.
func Encode(w io.Writer, metadata map[string]string, tensors []Source) error {
	header, err := encodeHeader(metadata, tensors)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		data, err := t.Data()
		if err != nil {
			return err
		}
		if int64(len(data)) != t.Size() {
			return fmt.Errorf("tensor %s: %d bytes, want %d", t.Name, len(data), t.Size())
		}
		if _, err := w.Write(data); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return nil
}

// encodeHeader returns the length of the header in eight bytes and its JSON, padded with spaces so that the data
// are aligned to eight bytes.
func encodeHeader(metadata map[string]string, tensors []Source) ([]byte, error) {
	kinds := map[dtypes.DType]string{}
	for kind, dtype := range dtypesByName() {
		kinds[dtype] = kind
	}
	var pairs []string // of key and value, in order; a Go map would lose it
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, `"__metadata__":`+string(text))
	}
	seen, offset := map[string]bool{"__metadata__": true}, int64(0)
	for _, t := range tensors {
		if kinds[t.DType] == "" {
			return nil, fmt.Errorf("tensor %s: dtype %s has no name in this format", t.Name, t.DType)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q is listed twice", t.Name)
		}
		seen[t.Name] = true
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, t.Dims...))
		if err != nil {
			return nil, err
		}
		end := offset + t.Size()
		pairs = append(pairs, fmt.Sprintf(`%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`,
			name, kinds[t.DType], shape, offset, end))
		offset = end
	}
	text := "{" + strings.Join(pairs, ",") + "}"
	text += strings.Repeat(" ", -len(text)&7)
	if len(text) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes exceeds the limit of %d bytes", len(text), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}
