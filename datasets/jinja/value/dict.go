package value

import (
	"iter"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// fewKeys is how many keys are searched one by one.
const fewKeys = 8

// NewDict returns a dict of texts to values: key, value, key, value, and so on.
func NewDict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i], pairs[i+1])
	}
	return d
}

// Len returns the number of keys; a nil dict has none.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.keys)
}

// find returns the place of a key, or -1.
func (d *Dict) find(key Value) int {
	if d == nil {
		return -1
	}
	k := Key(key)
	if d.places != nil {
		if i, ok := d.places[k]; ok {
			return i
		}
		return -1
	}
	for i, have := range d.keys {
		if Key(have) == k {
			return i
		}
	}
	return -1
}

// Get returns the value of a key.
func (d *Dict) Get(key Value) (Value, bool) {
	if i := d.find(key); i >= 0 {
		return d.values[i], true
	}
	return nil, false
}

// Set sets the value of a key.
func (d *Dict) Set(key, v Value) {
	if i := d.find(key); i >= 0 {
		d.values[i] = v
		return
	}
	d.keys, d.values = append(d.keys, key), append(d.values, v)
	switch {
	case d.places != nil:
		d.places[Key(key)] = len(d.keys) - 1
	case len(d.keys) > fewKeys:
		d.places = make(map[any]int, 2*fewKeys)
		for i, k := range d.keys {
			d.places[Key(k)] = i
		}
	}
}

// Delete removes a key and returns whether it was there.
func (d *Dict) Delete(key Value) bool {
	i := d.find(key)
	if i < 0 {
		return false
	}
	d.keys, d.values = slices.Delete(d.keys, i, i+1), slices.Delete(d.values, i, i+1)
	if d.places != nil {
		clear(d.places)
		for i, k := range d.keys {
			d.places[Key(k)] = i
		}
	}
	return true
}

// All yields the keys and values in order.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i := range d.Len() {
			if !yield(d.keys[i], d.values[i]) {
				return
			}
		}
	}
}

// At returns the key and the value at a place.
func (d *Dict) At(i int) (key, v Value) { return d.keys[i], d.values[i] }

// Copy returns a dict with the same keys and values.
func (d *Dict) Copy(m *Meter) *Dict {
	c := &Dict{}
	m.Items(2 * d.Len())
	for k, v := range d.All() {
		m.Step(4)
		c.Set(k, v)
	}
	return c
}

// Types of what Key returns for values that no other Key may equal.
type (
	noneKey      struct{}
	undefinedKey struct{}
	compoundKey  string // of tuples and numbers beyond int64
)

// Key returns what stands for a value in a Go map: values that are equal in Python have equal keys. It fails for lists
// and dicts, which Python cannot hash either.
func Key(v Value) any {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return noneKey{}
	case Markup:
		return string(v)
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int64:
		return v
	case *big.Int:
		return compoundKey("i" + v.String())
	case float64:
		return floatKey(v)
	case *Tuple:
		return tupleKey(v, 0)
	case *Undefined:
		if v.Strict {
			Fail("UndefinedError", "%q is undefined", v.Name)
		}
		return undefinedKey{}
	case *List, *Dict:
		failType("unhashable type: '%s'", TypeName(v))
	case *View:
		if v.Kind != "values" {
			failType("unhashable type: '%s'", TypeName(v))
		}
	}
	return v // other objects are equal to themselves alone
}

func floatKey(f float64) any {
	switch {
	case f != math.Trunc(f) || math.IsInf(f, 0):
		return f // a NaN equals nothing, and so finds nothing
	case f >= -1<<63 && f < 1<<63:
		return int64(f)
	}
	n, _ := big.NewFloat(f).Int(nil)
	return compoundKey("i" + n.String())
}

func tupleKey(t *Tuple, depth int) any {
	if depth > maxNesting {
		Fail(Limit, "tuples nest deeper than %d", maxNesting)
	}
	var b strings.Builder
	b.WriteByte('t')
	for _, item := range t.Items {
		var part string
		if inner, ok := item.(*Tuple); ok {
			part = string(tupleKey(inner, depth+1).(compoundKey))
		} else {
			switch k := Key(item).(type) {
			case string:
				part = "s" + k
			case int64:
				part = "i" + strconv.FormatInt(k, 10)
			case float64:
				part = "f" + strconv.FormatFloat(k, 'x', -1, 64)
			case noneKey:
				part = "n"
			case undefinedKey:
				part = "u"
			case compoundKey:
				part = string(k)
			default:
				Fail(Unsupported, "a %s within a tuple cannot be a key", TypeName(item))
			}
		}
		b.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	return compoundKey(b.String())
}
