package value

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxInput is how deep lists and dicts of a template's variables may nest.
const maxInput = 300

// FromGo converts a Go value: nil, bool, whole numbers, floats, json.Number, string, []any, []string, map[string]any
// (whose keys are sorted), and values of this package. It adds the size in bytes to size.
func FromGo(v any, size *int) (Value, error) { return fromGo(v, size, 0) }

func fromGo(v any, size *int, depth int) (Value, error) {
	*size += 16
	if depth > maxInput {
		return nil, fmt.Errorf("values nest deeper than %d", maxInput)
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, *Function, *Undefined, *Namespace:
		return v, nil
	case string:
		return fromText(v, size)
	case Markup:
		return v, nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case int8, int16, uint8, uint16, uint, uint64:
		n, _ := new(big.Int).SetString(fmt.Sprint(v), 10)
		return Whole(n), nil
	case float32:
		return float64(v), nil
	case *big.Int:
		return Whole(v), nil
	case json.Number:
		return fromNumber(string(v))
	case []any:
		return fromItems(v, size, depth)
	case []string:
		return fromItems(v, size, depth)
	case map[string]any:
		return fromMap(v, size, depth)
	case *List:
		return fromItems(v.Items, size, depth)
	case *Tuple:
		list, err := fromItems(v.Items, size, depth)
		if err != nil {
			return nil, err
		}
		return &Tuple{Items: list.Items, Fields: v.Fields}, nil
	case *Dict:
		return fromDict(v, size, depth)
	}
	return nil, fmt.Errorf("a template cannot have a variable of the type %T", v)
}

func fromText(text string, size *int) (Value, error) {
	*size += len(text)
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("a text is not valid UTF-8: %.40q", text)
	}
	return text, nil
}

func fromItems[T any](items []T, size *int, depth int) (*List, error) {
	out := make([]Value, len(items))
	for i, item := range items {
		var err error
		if out[i], err = fromGo(item, size, depth+1); err != nil {
			return nil, err
		}
	}
	return &List{out}, nil
}

func fromMap(v map[string]any, size *int, depth int) (*Dict, error) {
	d := &Dict{}
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if err := setFromGo(d, key, v[key], size, depth); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func fromDict(v *Dict, size *int, depth int) (*Dict, error) {
	d := &Dict{}
	for key, item := range v.All() {
		if err := setFromGo(d, key, item, size, depth); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func setFromGo(d *Dict, key, item any, size *int, depth int) error {
	k, err := fromGo(key, size, depth+1)
	if err != nil {
		return err
	}
	v, err := fromGo(item, size, depth+1)
	if err != nil {
		return err
	}
	d.Set(k, v)
	return nil
}

// fromNumber converts a number of JSON as Python's json.loads does.
func fromNumber(text string) (Value, error) {
	if !strings.ContainsAny(text, ".eE") {
		n, ok := ParseInt(text, 10)
		if !ok {
			return nil, fmt.Errorf("%.40s is not a number that Python reads", text)
		}
		return n, nil
	}
	f, ok := ParseFloat(text)
	if !ok {
		return nil, fmt.Errorf("%.40s is not a number", text)
	}
	return f, nil
}

// ToGo converts a value to what FromGo takes: numbers become int64, *big.Int or float64, lists, tuples and generators
// []any, dicts map[string]any. Other values fail.
func ToGo(m *Meter, v Value) any {
	m.Descend()
	defer m.Ascend()
	switch v := v.(type) {
	case nil, bool, int64, float64, string, *big.Int:
		return v
	case Markup:
		return string(v)
	case *List, *Tuple, *Generator, *View, *Range:
		items := Collect(m, v)
		for i := range items {
			items[i] = ToGo(m, items[i])
		}
		return slices.Clip(items)
	case *Dict:
		out := make(map[string]any, v.Len())
		for key, item := range v.All() {
			out[Str(m, key)] = ToGo(m, item)
		}
		return out
	}
	RefuseUndefined(m, v)
	Fail(Unsupported, "a %s is not a plain value", TypeName(v))
	return nil
}
