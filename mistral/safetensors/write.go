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

// TensorSource describes a tensor to be written; Data is called once, when its turn comes, so that only one tensor needs to be in
// memory at a time.
type Source struct {
	Name  string
	DType dtypes.DType
	Dims  []int
	Data  func() ([]byte, error) // little endian, row-major
}

// size returns the number of bytes that Data must deliver.
func (t Source) Size() int64 {
	n := int64(t.DType.Size())
	for _, d := range t.Dims {
		n *= int64(d)
	}
	return n
}

// WriteSafetensors writes the tensors in the order given. The same input gives the same bytes. The file appears under its name
// only when it is complete and on disk; after an error nothing is left behind.
func Write(path string, metadata map[string]string, tensors []Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Encode(w, metadata, tensors) })
}

// EncodeSafetensors writes the same bytes as WriteSafetensors to w.
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

// encodeHeader returns the eight bytes of length and the JSON, filled up with blanks so that the data are aligned to eight bytes.
func encodeHeader(metadata map[string]string, tensors []Source) ([]byte, error) {
	kinds := map[dtypes.DType]string{}
	for kind, dtype := range safetensorsTypes() {
		kinds[dtype] = kind
	}
	var pairs []string // JSON objects would lose the order
	if len(metadata) > 0 {
		text, err := json.Marshal(metadata)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, `"__metadata__":`+string(text))
	}
	seen, at := map[string]bool{"__metadata__": true}, int64(0)
	for _, t := range tensors {
		if kinds[t.DType] == "" {
			return nil, fmt.Errorf("tensor %s: dtype %s has no name in this format", t.Name, t.DType)
		}
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: the name is taken", t.Name)
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
		pairs = append(pairs, fmt.Sprintf(`%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, kinds[t.DType], shape, at, at+t.Size()))
		at += t.Size()
	}
	text := "{" + strings.Join(pairs, ",") + "}"
	text += strings.Repeat(" ", -len(text)&7)
	if len(text) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes is above the limit of %d", len(text), maxHeader)
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...), nil
}
