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

// headerEntry is one tensor of a safetensors header. begin and end count from the end of the header.
type headerEntry struct {
	name       string
	dtype      dtypes.DType
	dims       []int
	begin, end uint64
}

// compare orders by place in the file; an empty tensor comes before the one that starts where it does.
func (e headerEntry) compare(o headerEntry) int {
	return cmp.Or(cmp.Compare(e.begin, o.begin), cmp.Compare(e.end, o.end), cmp.Compare(e.name, o.name))
}

// safetensorsTypes names the supported dtypes of the format. 8-bit and 4-bit floats are not among them.
func safetensorsTypes() map[string]dtypes.DType {
	return map[string]dtypes.DType{
		"F64": dtypes.Float64, "F32": dtypes.Float32, "F16": dtypes.Float16, "BF16": dtypes.BFloat16,
		"I64": dtypes.Int64, "I32": dtypes.Int32, "I16": dtypes.Int16, "I8": dtypes.Int8,
		"U64": dtypes.Uint64, "U32": dtypes.Uint32, "U16": dtypes.Uint16, "U8": dtypes.Uint8, "BOOL": dtypes.Bool,
	}
}

// parseHeader reads the JSON of a header. It is stricter than encoding/json: no key may come twice (parsers differ in which one
// they keep), no unknown key, no invalid UTF-8, nothing but blanks behind the object.
func parseHeader(raw []byte) ([]headerEntry, map[string]string, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil, errors.New("header does not start with {")
	}
	if !utf8.Valid(raw) {
		return nil, nil, errors.New("header is not UTF-8")
	}
	p := headerParser{dec: json.NewDecoder(bytes.NewReader(raw)), types: safetensorsTypes()}
	p.dec.UseNumber()
	var entries []headerEntry
	var metadata map[string]string
	err := p.object(func(key string) error {
		if key == "__metadata__" {
			metadata = map[string]string{}
			return p.object(func(k string) (err error) {
				metadata[k], err = p.text()
				return err
			})
		}
		e, err := p.entry(key)
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

// delim reads one brace or bracket.
func (p headerParser) delim(want json.Delim) error {
	tok, err := p.dec.Token()
	if err != nil {
		return eof(err)
	}
	if tok != want {
		return fmt.Errorf("%v where %v belongs", tok, want)
	}
	return nil
}

// object reads an object; value is called with each key and must read the value.
func (p headerParser) object(value func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return eof(err)
		}
		key := tok.(string) // the decoder accepts nothing else as a key
		if seen[key] {
			return fmt.Errorf("key %q comes twice", key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p headerParser) text() (string, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return "", eof(err)
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%v where a string belongs", tok)
	}
	return s, nil
}

// sizes reads a list of whole numbers.
func (p headerParser) sizes() ([]uint64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	list := []uint64{}
	for p.dec.More() {
		tok, err := p.dec.Token()
		if err != nil {
			return nil, eof(err)
		}
		number, _ := tok.(json.Number)
		n, err := strconv.ParseUint(string(number), 10, 63)
		if err != nil {
			return nil, fmt.Errorf("%v is not a size", tok)
		}
		list = append(list, n)
	}
	return list, p.delim(']')
}

// entry reads and checks the description of one tensor.
func (p headerParser) entry(name string) (headerEntry, error) {
	e := headerEntry{name: name}
	var kind string
	var shape, offsets []uint64
	err := p.object(func(key string) (err error) {
		switch key {
		case "dtype":
			kind, err = p.text()
		case "shape":
			shape, err = p.sizes()
		case "data_offsets":
			offsets, err = p.sizes()
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
		return e, fmt.Errorf("tensor %s: shape %v and data_offsets %v do not describe data", name, shape, offsets)
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
		return e, fmt.Errorf("tensor %s: shape %v of %s takes %d bytes, data_offsets span %d", name, shape, kind, size, e.end-e.begin)
	}
	return e, nil
}

// eof gives the end of the header in the middle of a value its proper name.
func eof(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
