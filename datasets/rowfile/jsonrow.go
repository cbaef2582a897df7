package rowfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja"
)

// rowDecoder makes rows of JSON objects.
type rowDecoder struct {
	limits limits
	wanted Columns
	names  map[string]string // column names, so that the rows share them
}

func newRowDecoder(limits limits, wanted Columns) *rowDecoder {
	return &rowDecoder{limits: limits, wanted: wanted, names: map[string]string{}}
}

// decode returns the row of a valid JSON value. A value that is no object is wrong. As in Python's json, the last of
// several equal keys counts.
func (d *rowDecoder) decode(value []byte) (r map[string]any, wrong, err error) {
	if err := d.limits.budget.spend(int64(rowCost + len(value))); err != nil {
		return nil, nil, err
	}
	if kind := jsonType(value); kind != "object" {
		return nil, fmt.Errorf("want a JSON object {…}, have JSON of type %s", kind), nil
	}
	r = map[string]any{}
	p := valueParser{room: maxRowValues}
	for at := nextMember(value, 1); value[at] != '}'; at = nextMember(value, at) {
		end := valueEnd(value, at)
		name, err := d.name(value[at:end])
		if err != nil {
			return nil, err, nil
		}
		if err := p.take(memberValues); err != nil {
			return nil, nil, err
		}
		at = nextToken(value, nextToken(value, end)+1) // after the colon
		end = valueEnd(value, at)
		if d.wanted.has(name) {
			r[name], err = p.parse(string(value[at:end]))
			if errors.Is(err, errTooManyValues) {
				return nil, nil, err
			} else if err != nil {
				r[name] = Unusable{err}
			}
		} else {
			r[name] = Unread{}
		}
		at = end
	}
	return r, nil, d.limits.budget.spend(int64(valueCost * p.values))
}

// name returns the name of a column, which text is in JSON.
func (d *rowDecoder) name(text []byte) (string, error) {
	if name, ok := d.names[string(text)]; ok {
		return name, nil
	}
	name, err := unquote(string(text))
	if err == nil && len(d.names) < 1000 {
		d.names[string(text)] = name
	}
	return name, err
}

// jsonType names the type of a valid JSON value.
func jsonType(value []byte) string {
	switch value[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}

// isSpace reports whether a byte is white space between the tokens of JSON.
func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// trim returns a text without the white space around it.
func trim(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// nextToken returns the position of the first byte from at on that is not white space.
func nextToken[T string | []byte](text T, at int) int {
	for isSpace(text[at]) {
		at++
	}
	return at
}

// nextMember returns the position of the next member of an object or array, or of its closing bracket.
func nextMember[T string | []byte](text T, at int) int {
	if at = nextToken(text, at); text[at] == ',' {
		at = nextToken(text, at+1)
	}
	return at
}

// valueEnd returns the position after the value that begins at a position of valid JSON.
func valueEnd[T string | []byte](text T, at int) int {
	for depth := 0; ; {
		switch text[at] {
		case '"':
			for at++; text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			at++
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\t', '\r', '\n':
			at++ // between the members of an object or array
		default:
			for at < len(text) && !isSpace(text[at]) && text[at] != ',' && text[at] != ':' &&
				text[at] != ']' && text[at] != '}' {
				at++
			}
		}
		if depth == 0 {
			return at
		}
	}
}

// valueParser makes values of valid JSON: nil, bool, string, json.Number, NaN for a number that is not finite, []any
// and *jinja.Dict. The texts and numbers are parts of the JSON, not copies.
type valueParser struct {
	text   string
	at     int
	values int // that were made
	room   int // values that may still be made; what takes more memory than a number counts as several
}

// parse returns the value of a text.
func (p *valueParser) parse(text string) (any, error) {
	p.text, p.at = text, 0
	return p.value()
}

// take makes room for n values.
func (p *valueParser) take(n int) error {
	if p.room -= n; p.room < 0 {
		return errTooManyValues
	}
	return nil
}

// value returns the value at the parser's position and moves behind it.
func (p *valueParser) value() (any, error) {
	p.values++
	if err := p.take(1); err != nil {
		return nil, err
	}
	switch p.text[p.at] {
	case '{':
		return p.object()
	case '[':
		return p.array()
	}
	begin := p.at
	p.at = valueEnd(p.text, begin)
	switch text := p.text[begin:p.at]; text[0] {
	case '"':
		return unquote(text)
	case 't', 'f':
		return text == "true", nil
	case 'n':
		return nil, nil
	default:
		if strings.TrimPrefix(text, "-") == nonFiniteNumber {
			return math.NaN(), nil
		}
		return json.Number(text), nil
	}
}

// array returns the array at the parser's position.
func (p *valueParser) array() (any, error) {
	list := []any{}
	if err := p.take(arrayValues); err != nil {
		return nil, err
	}
	for p.at = nextMember(p.text, p.at+1); p.text[p.at] != ']'; p.at = nextMember(p.text, p.at) {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	p.at++
	return list, nil
}

// object returns the object at the parser's position.
func (p *valueParser) object() (any, error) {
	object := &jinja.Dict{}
	if err := p.take(objectValues); err != nil {
		return nil, err
	}
	for p.at = nextMember(p.text, p.at+1); p.text[p.at] != '}'; p.at = nextMember(p.text, p.at) {
		end := valueEnd(p.text, p.at)
		name, err := unquote(p.text[p.at:end])
		if err != nil {
			return nil, err
		}
		p.at = nextToken(p.text, nextToken(p.text, end)+1) // after the colon
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		object.Set(name, v)
		if err := p.take(memberValues); err != nil {
			return nil, err
		}
	}
	p.at++
	return object, nil
}

// unquote returns the text of a JSON string, which must be Unicode.
func unquote(quoted string) (string, error) {
	text := quoted[1 : len(quoted)-1]
	if err := checkUnicode(text); err != nil {
		return "", err
	}
	escape := strings.IndexByte(text, '\\')
	if escape < 0 {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	for ; escape >= 0; escape = strings.IndexByte(text, '\\') {
		out = append(out, text[:escape]...)
		code := text[escape+1]
		text = text[escape+2:]
		if code != 'u' {
			out = append(out, unescape(code))
			continue
		}
		r := hexRune(text)
		text = text[4:]
		if utf16.IsSurrogate(r) {
			pair := utf8.RuneError
			if strings.HasPrefix(text, `\u`) {
				pair = utf16.DecodeRune(r, hexRune(text[2:]))
			}
			if pair == utf8.RuneError {
				return "", fmt.Errorf(`%w: the lone surrogate \u%04x`, ErrNotUnicode, r)
			}
			r, text = pair, text[6:]
		}
		out = utf8.AppendRune(out, r)
	}
	return string(append(out, text...)), nil
}

// unescape returns the character that a letter after a backslash stands for.
func unescape(code byte) byte {
	switch code {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return code // a quotation mark, a backslash or a slash
}

// hexRune returns the code unit that a valid text's first four digits are.
func hexRune(text string) rune {
	n, _ := strconv.ParseUint(text[:4], 16, 32)
	return rune(n)
}
