package method

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// items are what the methods of lists, tuples and ranges look through.
type items struct {
	list value.Value
	kind string
}

var indexParams = value.Opt(value.Opt(value.Need("value"), "start", nil), "stop", nil)

var sequenceMethods = map[string]method[items]{
	"count": {params: value.Need("value"), body: countItems},
	"index": {params: indexParams, body: indexOf},
}

func countItems(m *value.Meter, s items, args []value.Value) value.Value {
	n := int64(0)
	for _, item := range value.Collect(m, s.list) {
		if value.Equal(m, item, args[0]) {
			n++
		}
	}
	return n
}

func indexOf(m *value.Meter, s items, args []value.Value) value.Value {
	all := value.Collect(m, s.list)
	if s.kind == "range" && (args[1] != nil || args[2] != nil) {
		value.Fail("TypeError", "range.index() takes exactly one argument")
	}
	span := value.NewSpan(int64(len(all)), args[1], args[2], nil)
	for i := span.Start; i < span.Start+span.Count; i++ {
		if value.Equal(m, all[i], args[0]) {
			return i
		}
	}
	value.Fail("ValueError", "%s is not in %s", value.Repr(m, args[0]), s.kind)
	return nil
}

var dictMethods = map[string]method[*value.Dict]{
	"get":      {params: value.Opt(value.Need("key"), "default", nil), body: dictGet},
	"items":    {body: view("items")},
	"keys":     {body: view("keys")},
	"values":   {body: view("values")},
	"fromkeys": {params: value.Opt(value.Need("iterable"), "value", nil), body: fromKeys},
	"copy": {body: func(m *value.Meter, d *value.Dict, _ []value.Value) value.Value {
		return d.Copy(m)
	}},
}

func dictGet(m *value.Meter, d *value.Dict, args []value.Value) value.Value {
	if v, ok := d.Lookup(m, args[0]); ok {
		return v
	}
	return args[1]
}

func view(kind string) func(*value.Meter, *value.Dict, []value.Value) value.Value {
	return func(_ *value.Meter, d *value.Dict, _ []value.Value) value.Value {
		return &value.View{Dict: d, Kind: kind}
	}
}

func fromKeys(m *value.Meter, _ *value.Dict, args []value.Value) value.Value {
	d := &value.Dict{}
	for _, key := range value.Collect(m, args[0]) {
		m.Items(2)
		d.Store(m, key, args[1])
	}
	return d
}

// numberAttribute returns an attribute of a number.
func numberAttribute(v value.Value, name string) (value.Value, bool) {
	constant := func(result value.Value) value.Value {
		return method[value.Value]{body: func(*value.Meter, value.Value, []value.Value) value.Value {
			return result
		}}.bind(name, v)
	}
	if f, isFloat := v.(float64); isFloat {
		switch name {
		case "real":
			return f, true
		case "imag":
			return 0.0, true
		case "conjugate":
			return constant(f), true
		case "is_integer":
			return constant(f == math.Trunc(f) && !math.IsInf(f, 0)), true
		case "hex", "fromhex", "as_integer_ratio":
			return unsupported(name), true
		}
		return nil, false
	}
	n, isSmall := value.Negate(nil, v, false).(int64)
	switch name {
	case "real", "numerator":
		return value.Negate(nil, v, false), true
	case "imag":
		return int64(0), true
	case "denominator":
		return int64(1), true
	case "conjugate":
		return constant(value.Negate(nil, v, false)), true
	case "bit_length":
		if b, ok := v.(*big.Int); ok {
			return constant(int64(b.BitLen())), true
		}
		return constant(int64(bits.Len64(magnitude(n)))), true
	case "bit_count":
		if isSmall {
			return constant(int64(bits.OnesCount64(magnitude(n)))), true
		}
		return unsupported(name), true
	case "as_integer_ratio", "to_bytes", "from_bytes":
		return unsupported(name), true
	}
	return nil, false
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// unsupported is a method of Python that fails when it is called here.
func unsupported(name string) value.Value {
	return &value.Function{Name: name, Body: func(*value.Meter, value.Args) value.Value {
		value.Fail(value.Unsupported, "the method %s is not supported", strconv.Quote(name))
		return nil
	}}
}
