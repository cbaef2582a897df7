package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/gomlx/compute/dtypes"
)

// Limits that no model comes near. An entry takes several times its length in memory.
const (
	maxKeys = 1 << 17 // of tensors, and of metadata
	maxDims = 64
)

// headerEntry describes one tensor. The offsets begin and end count from the end of the header.
type headerEntry struct {
	name       string
	dtype      dtypes.DType
	dims       []int
	begin, end uint64
}

// compareOffsets orders entries by their place in the file. An empty tensor comes before the tensor that begins at
// the same offset.
func (e headerEntry) compareOffsets(o headerEntry) int {
	return cmp.Or(cmp.Compare(e.begin, o.begin), cmp.Compare(e.end, o.end), cmp.Compare(e.name, o.name))
}

// dtypesByName returns the supported dtypes by their names in the format.
func dtypesByName() map[string]dtypes.DType {
	return map[string]dtypes.DType{
		"F64": dtypes.Float64, "F32": dtypes.Float32, "F16": dtypes.Float16, "BF16": dtypes.BFloat16,
		"I64": dtypes.Int64, "I32": dtypes.Int32, "I16": dtypes.Int16, "I8": dtypes.Int8,
		"U64": dtypes.Uint64, "U32": dtypes.Uint32, "U16": dtypes.Uint16, "U8": dtypes.Uint8, "BOOL": dtypes.Bool,
	}
}

// parseHeader parses the JSON of a header. It is stricter than encoding/json: it refuses duplicate keys (parsers
// differ in which one they keep), unknown keys, invalid UTF-8, and anything but white space after the object.
func parseHeader(raw []byte) ([]headerEntry, map[string]string, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("header does not start with {")
	}
	if !utf8.Valid(raw) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	p := headerParser{dec: json.NewDecoder(bytes.NewReader(raw)), types: dtypesByName()}
	p.dec.UseNumber()
	var entries []headerEntry
	var metadata map[string]string
	err := p.readObject(func(key string) error {
		if key == "__metadata__" {
			metadata = map[string]string{}
			return p.readObject(func(k string) (err error) {
				metadata[k], err = p.readString()
				return err
			})
		}
		e, err := p.readEntry(key)
		entries = append(entries, e)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, nil, errors.New("header: text after the closing brace")
	}
	return entries, metadata, nil
}

// headerParser reads a header token by token.
type headerParser struct {
	dec   *json.Decoder
	types map[string]dtypes.DType
}

// readDelim reads one brace or bracket.
func (p headerParser) readDelim(want json.Delim) error {
	tok, err := p.dec.Token()
	if err != nil {
		return unexpectedEOF(err)
	}
	if tok != want {
		return fmt.Errorf("found %v, want %v", tok, want)
	}
	return nil
}

// readObject reads an object. It calls value with each key, and value must read the key's value.
func (p headerParser) readObject(value func(key string) error) error {
	if err := p.readDelim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return unexpectedEOF(err)
		}
		key := tok.(string) // the decoder accepts nothing else as a key
		if seen[key] {
			return fmt.Errorf("key %q appears twice", key)
		}
		if len(seen) == maxKeys {
			return fmt.Errorf("an object has more than %d keys", maxKeys)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.readDelim('}')
}

func (p headerParser) readString() (string, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return "", unexpectedEOF(err)
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("found %v, want a string", tok)
	}
	return s, nil
}

// readSizes reads a list of non-negative whole numbers.
func (p headerParser) readSizes() ([]uint64, error) {
	if err := p.readDelim('['); err != nil {
		return nil, err
	}
	list := []uint64{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return nil, unexpectedEOF(err)
		}
		number, _ := tok.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%v is not a size", tok)
		}
		if len(list) == maxDims {
			return nil, fmt.Errorf("a list has more than %d numbers", maxDims)
		}
		list = append(list, n)
	}
	return list, p.readDelim(']')
}

// readEntry reads and checks the description of one tensor.
func (p headerParser) readEntry(name string) (headerEntry, error) {
	e := headerEntry{name: name}
	var kind string
	var shape, offsets []uint64
	err := p.readObject(func(key string) (err error) {
		switch key {
		case "dtype":
			kind, err = p.readString()
		case "shape":
			shape, err = p.readSizes()
		case "data_offsets":
			offsets, err = p.readSizes()
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		return err
	})
	if err != nil {
		return e, fmt.Errorf("tensor %s: %w", name, err)
	}
	dtype, ok := p.types[kind]
	if !ok {
		return e, fmt.Errorf("tensor %s: dtype %q is not supported", name, kind)
	}
	if shape == nil || len(offsets) != 2 || offsets[0] > offsets[1] {
		return e, fmt.Errorf("tensor %s: shape %v and data_offsets %v do not describe a tensor", name, shape, offsets)
	}
	e.dtype, e.begin, e.end = dtype, offsets[0], offsets[1]
	size := uint64(dtype.Size())
	for _, d := range shape {
		var over uint64
		if over, size = bits.Mul64(size, d); over != 0 || size > 1<<62 {
			return e, fmt.Errorf("tensor %s: shape %v is too large", name, shape)
		}
		e.dims = append(e.dims, int(d))
	}
	if size != e.end-e.begin {
		return e, fmt.Errorf("tensor %s: shape %v of %s takes %d bytes, data_offsets span %d",
			name, shape, kind, size, e.end-e.begin)
	}
	return e, nil
}

// unexpectedEOF turns io.EOF, which is the end of the header in the middle of a value, into io.ErrUnexpectedEOF.
func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
