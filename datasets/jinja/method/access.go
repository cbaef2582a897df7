package method

import (
	"math/big"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Access looks up attributes and items as Jinja's sandbox does.
type Access struct {
	Strict bool // undefined values may not be used at all
}

// Undefined returns the value of an attribute or item that does not exist.
func (a Access) Undefined(of, name value.Value) *value.Undefined {
	return &value.Undefined{Of: of, Owned: true, Name: name, Strict: a.Strict}
}

// unsafe returns the value of an attribute that the sandbox hides.
func (a Access) unsafe(of value.Value, name string) *value.Undefined {
	hint := "access to attribute '" + name + "' of '" + value.TypeName(of) + "' object is unsafe."
	return &value.Undefined{Hint: hint, Name: name, Strict: a.Strict, Kind: "SecurityError"}
}

// GetAttr returns of.name: an attribute, or else an item.
func (a Access) GetAttr(m *value.Meter, of value.Value, name string) value.Value {
	if v, ok := a.Attribute(m, of, name); ok {
		return v
	}
	if v, ok := item(m, of, name); ok {
		return v
	}
	return a.Undefined(of, name)
}

// GetItem returns of[key]: an item, or else an attribute.
func (a Access) GetItem(m *value.Meter, of, key value.Value) value.Value {
	if v, ok := item(m, of, key); ok {
		return v
	}
	if name, ok := value.Text(key); ok {
		if v, ok := a.Attribute(m, of, name); ok {
			return v
		}
	}
	return a.Undefined(of, key)
}

// item returns an item of a value. Where Python raises a TypeError or LookupError, there is none.
func item(m *value.Meter, of, key value.Value) (value.Value, bool) {
	switch of := of.(type) {
	case *value.Undefined:
		of.Fail(m)
	case *value.Dict:
		if !isHashable(m, key) {
			return nil, false
		}
		return of.Lookup(m, key)
	case string, value.Markup:
		text, _ := value.Text(of)
		if n, ok := place(key); ok {
			char, ok := value.CharAt(m, text, n)
			return value.Like(of, char), ok
		}
	case *value.List:
		return itemAt(of.Items, key)
	case *value.Tuple:
		return itemAt(of.Items, key)
	case *value.Range:
		n, ok := place(key)
		if length := of.Len(); ok && n < 0 {
			n += length
		}
		if ok && n >= 0 && n < of.Len() {
			return of.At(n), true
		}
	}
	return nil, false
}

// place returns a value that is an index.
func place(key value.Value) (int64, bool) {
	switch key := key.(type) {
	case int64:
		return key, true
	case bool:
		if key {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func itemAt(items []value.Value, key value.Value) (value.Value, bool) {
	n, ok := place(key)
	if n < 0 {
		n += int64(len(items))
	}
	if !ok || n < 0 || n >= int64(len(items)) {
		return nil, false
	}
	return items[n], true
}

func isHashable(m *value.Meter, v value.Value) bool {
	switch v := v.(type) {
	case *value.List, *value.Dict:
		return false
	case *value.View:
		return v.Kind == "values"
	case *value.Tuple:
		m.Descend()
		defer m.Ascend()
		return !slices.ContainsFunc(v.Items, func(item value.Value) bool {
			m.Step(1)
			return !isHashable(m, item)
		})
	}
	return true
}

// Names that the sandbox hides because their methods change the object.
var (
	listChanges = []string{"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}
	dictChanges = []string{"clear", "pop", "popitem", "setdefault", "update"}
)

// hidden are attributes that every object of Python has.
var hidden = strings.Fields(`__class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__
	__getstate__ __gt__ __hash__ __init__ __init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__
	__setattr__ __sizeof__ __str__ __subclasshook__`)

// Attribute returns an attribute of a value, and whether it exists. What the sandbox hides exists, but is undefined.
func (a Access) Attribute(m *value.Meter, of value.Value, name string) (value.Value, bool) {
	if strings.HasPrefix(name, "__") && slices.Contains(hidden, name) {
		return a.unsafe(of, name), true
	}
	var changes []string
	switch of := of.(type) {
	case string:
		return a.textAttribute(receiver{of, of}, name)
	case value.Markup:
		return a.textAttribute(receiver{string(of), of}, name)
	case *value.Dict:
		if f, ok := dictMethods[name]; ok {
			return f.bind(name, of), true
		}
		changes = dictChanges
	case *value.List:
		if name == "copy" {
			return method[*value.List]{body: copyList}.bind(name, of), true
		}
		if f, ok := sequenceMethods[name]; ok {
			return f.bind(name, items{of, "list"}), true
		}
		changes = listChanges
	case *value.Tuple:
		if i := slices.Index(of.Fields, name); i >= 0 {
			return of.Items[i], true
		}
		if f, ok := sequenceMethods[name]; ok {
			return f.bind(name, items{of, "tuple"}), true
		}
	case *value.Undefined:
		if !strings.HasPrefix(name, "__") || !strings.HasSuffix(name, "__") {
			of.Fail(m)
		}
	case *value.Namespace:
		return of.Attributes.Get(name)
	default:
		return a.otherAttribute(m, of, name)
	}
	if slices.Contains(changes, name) {
		return a.unsafe(of, name), true
	}
	return nil, false
}

func (a Access) otherAttribute(m *value.Meter, of value.Value, name string) (value.Value, bool) {
	switch of := of.(type) {
	case bool, int64, *big.Int, float64:
		return numberAttribute(of, name)
	case *value.Range:
		switch name {
		case "start":
			return of.Start, true
		case "stop":
			return of.Stop, true
		case "step":
			return of.Step, true
		}
		if f, ok := sequenceMethods[name]; ok {
			return f.bind(name, items{of, "range"}), true
		}
	case *value.View:
		if name == "mapping" || name == "isdisjoint" && of.Kind != "values" {
			return unsupported(name), true
		}
	case *value.Generator:
		if slices.Contains([]string{"close", "send", "throw"}, name) {
			return unsupported(name), true
		}
		if strings.HasPrefix(name, "gi_") {
			return a.unsafe(of, name), true
		}
	case value.Object:
		return of.Attribute(m, name)
	}
	return nil, false
}

func copyList(m *value.Meter, l *value.List, _ []value.Value) value.Value {
	return &value.List{Items: value.Collect(m, l)}
}

// textAttribute returns a method of a text. The methods format and format_map look up attributes themselves.
func (a Access) textAttribute(r receiver, name string) (value.Value, bool) {
	if name == "format" || name == "format_map" {
		return &value.Function{Name: name, Body: func(m *value.Meter, args value.Args) value.Value {
			return a.format(m, r, name, args)
		}}, true
	}
	f, ok := textMethods[name]
	switch {
	case !ok:
		return nil, false
	case f.body == nil:
		return unsupported(name), true
	}
	return f.bind(name, r), true
}

func (a Access) format(m *value.Meter, r receiver, name string, args value.Args) value.Value {
	if _, isSafe := r.self.(value.Markup); isSafe {
		value.Fail(value.Unsupported, "formatting a safe text is not supported")
	}
	if name == "format_map" {
		args.RefuseNamed(name)
		mapping, ok := args.Bind(name, value.Need("mapping"))[0].(*value.Dict)
		if !ok {
			value.Fail("TypeError", "format_map() takes a mapping")
		}
		args = value.Args{Named: mapping}
	}
	f := &formatter{meter: m, args: args}
	f.follow = func(of, key value.Value, isAttribute bool) value.Value {
		if isAttribute {
			return a.GetAttr(m, of, key.(string))
		}
		return a.GetItem(m, of, key)
	}
	return f.format(r.text, 2)
}
