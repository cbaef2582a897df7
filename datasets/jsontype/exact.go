package jsontype

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// Unmarshal is json.Unmarshal with an *Error about a value of the wrong type. Keys are matched to the letter, and a
// null in a list of numbers, texts or booleans is an error.
func Unmarshal(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return Describe(data, err)
	}
	return checkExact(data, reflect.TypeOf(into))
}

// UnmarshalStrict is Unmarshal that also refuses unknown keys.
func UnmarshalStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return Describe(data, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more text after the end of the JSON value")
	}
	return checkExact(data, reflect.TypeOf(into))
}

// checkExact refuses what encoding/json takes although it is not what a file says: a key that differs from a field's in
// the case of its letters alone, and a null in a list of numbers, texts or booleans, which becomes 0, "" or false. data
// is JSON that has been decoded into a value of the type t.
func checkExact(data []byte, t reflect.Type) error {
	w := exactWalker{data: data, fields: map[reflect.Type]map[string]structField{}}
	return w.value(t)
}

// exactWalker walks over JSON whose syntax is sound, beside the type that it was decoded into.
type exactWalker struct {
	data   []byte
	at     int
	fields map[reflect.Type]map[string]structField // by key, of each struct so far
}

// structField is a field of a struct. Only a tag says how its key is spelled.
type structField struct {
	kind   reflect.Type
	tagged bool
}

// value walks over a value. A type of nil means that anything goes.
func (w *exactWalker) value(t reflect.Type) error {
	t = plainType(t)
	switch w.next() {
	case '{':
		return w.object(t)
	case '[':
		return w.list(t)
	}
	w.scalar()
	return nil
}

// plainType returns what a pointer points to, and nil for types that decode themselves.
func plainType(t reflect.Type) reflect.Type {
	decodesItself := reflect.TypeFor[json.Unmarshaler]()
	for t != nil {
		if t.Implements(decodesItself) || reflect.PointerTo(t).Implements(decodesItself) {
			return nil
		} else if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}

// next skips white space, commas and colons, and returns the byte that follows; it must exist.
func (w *exactWalker) next() byte {
	for strings.IndexByte(" \t\r\n,:", w.data[w.at]) >= 0 {
		w.at++
	}
	return w.data[w.at]
}

// scalar skips a text, a number, a boolean or null, and returns it.
func (w *exactWalker) scalar() []byte {
	begin := w.at
	if w.data[w.at] != '"' {
		for w.at < len(w.data) && strings.IndexByte(" \t\r\n,:]}", w.data[w.at]) < 0 {
			w.at++
		}
		return w.data[begin:w.at]
	}
	for w.at++; w.data[w.at] != '"'; w.at++ {
		if w.data[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
	return w.data[begin:w.at]
}

func (w *exactWalker) object(t reflect.Type) error {
	w.at++
	for w.next() != '}' {
		raw := w.scalar()
		member := reflect.Type(nil)
		if t != nil && t.Kind() == reflect.Map {
			member = t.Elem()
		} else if t != nil && t.Kind() == reflect.Struct {
			var err error
			if member, err = w.field(t, raw); err != nil {
				return err
			}
		}
		if err := w.value(member); err != nil {
			return inside(string(raw[1:len(raw)-1]), err)
		}
	}
	w.at++
	return nil
}

// inside adds to an error about a value the key or the index of what holds it.
func inside(key string, err error) error {
	if wrong, ok := err.(*Error); ok {
		if wrong.Key != "" && wrong.Key[0] != '[' {
			key += "."
		}
		wrong.Key = key + wrong.Key
	}
	return err
}

// field returns the type of a struct's field by its key, which is still quoted, and nil for an unknown key.
func (w *exactWalker) field(t reflect.Type, raw []byte) (reflect.Type, error) {
	if w.fields[t] == nil {
		w.fields[t] = map[string]structField{}
		addFields(t, w.fields[t])
	}
	key := string(raw[1 : len(raw)-1])
	if strings.Contains(key, `\`) {
		if err := json.Unmarshal(raw, &key); err != nil {
			return nil, err
		}
	}
	if member, ok := w.fields[t][key]; ok {
		return member.kind, nil
	}
	for name, member := range w.fields[t] {
		if strings.EqualFold(name, key) && member.tagged {
			return nil, fmt.Errorf("unknown key %q; did you mean %q?", key, name)
		} else if strings.EqualFold(name, key) {
			return member.kind, nil
		}
	}
	return nil, nil
}

// addFields adds the fields of a struct by their keys.
func addFields(t reflect.Type, fields map[string]structField) {
	for f := range t.Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && key == "" && f.Type.Kind() == reflect.Struct:
			addFields(f.Type, fields)
		case !f.IsExported() || key == "-":
		case key == "":
			fields[f.Name] = structField{kind: f.Type}
		default:
			fields[key] = structField{f.Type, true}
		}
	}
}

func (w *exactWalker) list(t reflect.Type) error {
	element := reflect.Type(nil)
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		element = t.Elem()
	}
	holdsNull := element == nil || plainType(element) == nil
	if !holdsNull {
		switch element.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Struct:
			holdsNull = true
		}
	}
	w.at++
	for i := 0; w.next() != ']'; i++ {
		if !holdsNull && w.data[w.at] == 'n' {
			return inside("["+strconv.Itoa(i)+"]", &Error{Want: describeType(element), Have: "null"})
		}
		if err := w.value(element); err != nil {
			return inside("["+strconv.Itoa(i)+"]", err)
		}
	}
	w.at++
	return nil
}
