// Package jsontype decodes JSON: its errors say in plain words which value is of the wrong type, and it keeps the order
// of an object's keys.
package jsontype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Error is an error about a value that is not of the type that its key must have.
type Error struct {
	Key        string // such as rope_scaling.factor or list[2]; "" if the value is all of the text
	Want, Have string
}

func (e *Error) Error() string {
	if e.Key == "" {
		return e.Problem()
	}
	return fmt.Sprintf("key %s: %s", e.Key, e.Problem())
}

// Problem returns the error without the key.
func (e *Error) Problem() string { return fmt.Sprintf("want %s, have %s", e.Want, e.Have) }

// Describe returns an error of package json about a value of the wrong type in data as an *Error, and other errors as
// they are.
func Describe(data []byte, err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return err
	}
	kind, number, _ := strings.Cut(wrong.Value, " ") // such as "number 512.0"
	have, ok := map[string]string{
		"array": "a list", "object": "an object", "string": "a text", "bool": "a boolean", "number": "a number",
	}[kind]
	if !ok {
		have = kind
	} else if number != "" {
		have = number
	}
	e := &Error{Key: wrong.Field, Have: have, Want: describeType(wrong.Type)}
	if key, text, ok := find(data, wrong.Offset); ok && kindOf(text) == kind {
		e.Key = key
		if kind != "array" && kind != "object" {
			e.Have = shorten(text)
		}
		if kind == "number" && !strings.ContainsAny(text, ".eE") && e.Want == "a whole number" {
			e.Want = "a smaller number" // it is a whole one
		}
	}
	return e
}

// longest is the number of characters of a value that an error shows.
const longest = 80

func shorten(text string) string {
	if letters := []rune(text); len(letters) > longest {
		return string(letters[:longest]) + "…"
	}
	return text
}

// kindOf returns the word of package json for the kind of a token.
func kindOf(token string) string {
	switch {
	case token == "":
		return ""
	case token[0] == '"':
		return "string"
	case token[0] == '[':
		return "array"
	case token[0] == '{':
		return "object"
	case token == "true" || token == "false":
		return "bool"
	}
	return "number"
}

// describeType names the values that a Go type can hold.
func describeType(t reflect.Type) string {
	if t == nil {
		return "another value"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describeType(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "another value"
}

// level is an object or a list around a place in a text.
type level struct {
	list  bool
	key   string // of the member that is being read
	items int    // read before it, with the keys of an object
}

// find returns the token that ends at an offset, and the keys that lead to it.
func find(data []byte, offset int64) (key, token string, found bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var levels []level
	for start := int64(0); start < offset; {
		t, err := d.Token()
		if err != nil {
			return "", "", false
		}
		end := d.InputOffset()
		if end == offset {
			return path(levels), strings.TrimLeft(string(data[start:end]), " \t\r\n,:"), true
		}
		start = end
		if t == json.Delim('}') || t == json.Delim(']') {
			levels = levels[:len(levels)-1]
		}
		isOpening := t == json.Delim('{') || t == json.Delim('[')
		if text, ok := t.(string); ok && len(levels) > 0 {
			if at := &levels[len(levels)-1]; !at.list && at.items%2 == 0 {
				at.key = text
			}
		}
		if isOpening {
			levels = append(levels, level{list: t == json.Delim('[')})
		} else if len(levels) > 0 {
			levels[len(levels)-1].items++
		}
	}
	return "", "", false
}

// path joins the keys of levels.
func path(levels []level) string {
	var out strings.Builder
	for _, at := range levels {
		switch {
		case at.list:
			out.WriteString("[" + strconv.Itoa(at.items) + "]")
		case out.Len() > 0:
			out.WriteString("." + at.key)
		default:
			out.WriteString(at.key)
		}
	}
	return out.String()
}
