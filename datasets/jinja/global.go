package jinja

import (
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/method"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// maxRange is how many items Jinja's sandbox lets a range have.
const maxRange = 100_000

// global returns one of Jinja's global functions, or nil.
func global(access method.Access, name string) value.Value {
	switch name {
	case "range":
		return &value.Function{Name: name, Body: makeRange}
	case "dict":
		return dictType{access}
	case "namespace":
		return &value.Function{Name: name, Body: makeNamespace}
	case "cycler":
		return &value.Function{Name: name, Body: makeCycler}
	case "joiner":
		return &value.Function{Name: name, Body: makeJoiner}
	case "lipsum":
		return &value.Function{Name: name, Body: func(*value.Meter, value.Args) value.Value {
			value.Fail(value.Unsupported, "lipsum is not supported")
			return nil
		}}
	}
	return nil
}

func makeRange(m *value.Meter, args value.Args) value.Value {
	args.RefuseNamed("range")
	bounds := make([]int64, len(args.Positional))
	for i, v := range args.Positional {
		bounds[i] = value.Index(m, v)
	}
	r := &value.Range{Step: 1}
	switch len(bounds) {
	case 1:
		r.Stop = bounds[0]
	case 2:
		r.Start, r.Stop = bounds[0], bounds[1]
	case 3:
		r.Start, r.Stop, r.Step = bounds[0], bounds[1], bounds[2]
	default:
		value.Fail("TypeError", "range expected 1 to 3 arguments, got %d", len(bounds))
	}
	if r.Step == 0 {
		value.Fail("ValueError", "range() arg 3 must not be zero")
	}
	if n := r.Len(); n > maxRange || n < 0 {
		value.Fail("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	return r
}

// dictType is the function dict.
type dictType struct{ access method.Access }

// Call implements value.Callable.
func (dictType) Call(m *value.Meter, args value.Args) value.Value { return makeDict(m, "dict", args) }

// Attribute implements value.Object.
func (d dictType) Attribute(m *value.Meter, name string) (value.Value, bool) {
	if name == "fromkeys" {
		return d.access.Attribute(m, &value.Dict{}, name)
	}
	return nil, false
}

// Describe implements value.Object.
func (dictType) Describe(*value.Meter) (string, bool) { return "", false }

// makeDict returns a dict of a mapping or of pairs, and of keyword arguments.
func makeDict(m *value.Meter, name string, args value.Args) *value.Dict {
	d := &value.Dict{}
	if len(args.Positional) > 1 {
		value.Fail("TypeError", "%s expected at most 1 argument, got %d", name, len(args.Positional))
	}
	for _, source := range args.Positional {
		if from, ok := source.(*value.Dict); ok {
			d = from.Copy(m)
			continue
		}
		for it := value.Iterate(m, source); ; {
			item, ok := it.Next()
			if !ok {
				break
			}
			pair := value.Collect(m, item)
			if len(pair) != 2 {
				value.Fail("ValueError", "dictionary update sequence element has length %d; 2 is required", len(pair))
			}
			m.Items(2)
			d.Store(m, pair[0], pair[1])
		}
	}
	for key, v := range args.Named.All() {
		m.Items(2)
		d.Store(m, key, v)
	}
	return d
}

func makeNamespace(m *value.Meter, args value.Args) value.Value {
	d := makeDict(m, "namespace", args)
	for key := range d.All() {
		refuseHidden(key)
	}
	return &value.Namespace{Attributes: d}
}

// refuseHidden refuses a name that begins with an underscore as an attribute of a namespace.
func refuseHidden(name value.Value) {
	if text, ok := value.Text(name); ok && strings.HasPrefix(text, "_") {
		value.Fail("SecurityError", "a namespace cannot have the attribute '%s'", text)
	}
}

// cycler gives its items one after the other, and begins again after the last.
type cycler struct {
	items []value.Value
	at    int
}

func makeCycler(_ *value.Meter, args value.Args) value.Value {
	args.RefuseNamed("cycler")
	if len(args.Positional) == 0 {
		value.Fail("RuntimeError", "at least one item has to be provided")
	}
	return &cycler{items: args.Positional}
}

// Attribute implements value.Object.
func (c *cycler) Attribute(_ *value.Meter, name string) (value.Value, bool) {
	function := func(body func() value.Value) (value.Value, bool) {
		return &value.Function{Name: name, Body: func(_ *value.Meter, args value.Args) value.Value {
			args.Bind(name, nil)
			return body()
		}}, true
	}
	switch name {
	case "items":
		return &value.Tuple{Items: c.items}, true
	case "pos":
		return int64(c.at), true
	case "current":
		return c.items[c.at], true
	case "next":
		return function(func() value.Value {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return v
		})
	case "reset":
		return function(func() value.Value { c.at = 0; return nil })
	}
	return nil, false
}

// Describe implements value.Object.
func (c *cycler) Describe(*value.Meter) (string, bool) { return "", false }

// joiner gives nothing when it is first called, and its separator from then on.
type joiner struct {
	separator value.Value
	used      bool
}

func makeJoiner(_ *value.Meter, args value.Args) value.Value {
	return &joiner{separator: args.Bind("joiner", value.Opt(nil, "sep", ", "))[0]}
}

// Call implements value.Callable.
func (j *joiner) Call(_ *value.Meter, args value.Args) value.Value {
	args.Bind("joiner", nil)
	if !j.used {
		j.used = true
		return ""
	}
	return j.separator
}

// Attribute implements value.Object.
func (j *joiner) Attribute(_ *value.Meter, name string) (value.Value, bool) {
	switch name {
	case "sep":
		return j.separator, true
	case "used":
		return j.used, true
	}
	return nil, false
}

// Describe implements value.Object.
func (j *joiner) Describe(*value.Meter) (string, bool) { return "", false }
