package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// DecodeJSON reads one JSON value as Python's json.loads does: objects keep the order of their keys, and numbers are
// whole or floats as they are written. Halves of surrogate pairs, which no UTF-8 text can hold, are an error.
func DecodeJSON(data []byte) (Value, error) {
	if at := loneSurrogate(string(data)); at >= 0 {
		return nil, fmt.Errorf("byte %d: half of a surrogate pair", at)
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the JSON value")
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (Value, error) {
	if depth > maxInput {
		return nil, fmt.Errorf("values nest deeper than %d", maxInput)
	}
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			return decodeList(d, depth)
		}
		return decodeDict(d, depth)
	default:
		size := 0
		return FromGo(token, &size)
	}
}

func decodeList(d *json.Decoder, depth int) (Value, error) {
	items := []Value{}
	for d.More() {
		item, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return &List{items}, err
}

func decodeDict(d *json.Decoder, depth int) (Value, error) {
	dict := &Dict{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		dict.Set(key, v)
	}
	_, err := d.Token()
	return dict, err
}

// loneSurrogate returns where JSON text has an escape \ud800 to \udfff without its other half, or -1.
func loneSurrogate(text string) int {
	for i := 0; i < len(text); {
		switch {
		case text[i] != '\\':
			i++
		case isSurrogate(text[i:], "89ab"):
			if !isSurrogate(text[i+6:], "cdef") {
				return i
			}
			i += 12
		case isSurrogate(text[i:], "cdef"):
			return i
		default:
			i += 2
		}
	}
	return -1
}

// isSurrogate reports whether text begins with the escape of a surrogate whose second digit is one of seconds.
func isSurrogate(text, seconds string) bool {
	if len(text) < 6 {
		return false
	}
	escape := strings.ToLower(text[:6])
	return strings.HasPrefix(escape, `\ud`) && strings.IndexByte(seconds, escape[3]) >= 0
}
