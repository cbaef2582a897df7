package value

import (
	"fmt"
	"math/big"
	"strconv"
)

// Value is a value of a template; the package's comment lists its types.
type Value = any

// Markup is a text that is marked as safe (the filters safe and escape). It escapes what is added to it.
type Markup string

// List is a Python list.
type List struct{ Items []Value }

// Tuple is a Python tuple. Fields names the items of a named tuple, such as the groups of the filter groupby.
type Tuple struct {
	Items  []Value
	Fields []string
}

// Dict is a Python dict: it keeps the order in which keys were first set. Keys that are equal in Python, such as 1, 1.0
// and True, are one key. The zero value is an empty dict.
type Dict struct {
	keys, values []Value
	places       map[any]int // of the keys by their Key; nil while there are few
}

// Range is a Python range.
type Range struct{ Start, Stop, Step int64 }

// View is what a dict's methods keys, values and items give.
type View struct {
	Dict *Dict
	Kind string // "keys", "values" or "items"
}

// Generator gives values once, each when it is asked for.
type Generator struct{ Source func() (Value, bool) }

// Next implements Iterator.
func (g *Generator) Next() (Value, bool) { return g.Source() }

// Namespace holds the attributes that templates can assign to.
type Namespace struct{ Attributes *Dict }

// Args are the arguments of a call.
type Args struct {
	Positional []Value
	Named      *Dict // nil if there are none
}

// Function is something that templates call: a global function, or a method with its receiver.
type Function struct {
	Name string
	Body func(m *Meter, args Args) Value
}

// Call implements Callable.
func (f *Function) Call(m *Meter, args Args) Value { return f.Body(m, args) }

// Callable is a value that can be called.
type Callable interface {
	Call(m *Meter, args Args) Value
}

// Object is a value of another type with attributes: a macro, a loop, a cycler.
type Object interface {
	Attribute(m *Meter, name string) (Value, bool)
	Describe(m *Meter) (text string, ok bool) // as Python prints it; false where that is an address in memory
}

// Undefined is the value of a name, attribute or item that does not exist. It remembers what was asked for.
type Undefined struct {
	Hint   string
	Of     Value // whose attribute or item it is, if Owned
	Owned  bool
	Name   Value
	Strict bool   // it may not even be printed, compared or looped over
	Kind   string // of the failure when it is used; "" for UndefinedError
}

// Message says what is undefined, in Jinja's words.
func (u *Undefined) Message(m *Meter) string {
	text, isText := u.Name.(string)
	name := Quote(m, text)
	if n, isInt := u.Name.(int64); isInt {
		name = strconv.FormatInt(n, 10)
	} else if !isText {
		name = "of the type " + TypeName(u.Name)
	}
	switch {
	case u.Hint != "":
		return u.Hint
	case !u.Owned:
		return name + " is undefined"
	case !isText:
		return describeType(u.Of) + " has no element " + name
	}
	return "'" + describeType(u.Of) + "' has no attribute " + name
}

// Fail panics because the undefined value is used.
func (u *Undefined) Fail(m *Meter) {
	kind := u.Kind
	if kind == "" {
		kind = "UndefinedError"
	}
	Fail(kind, "%s", u.Message(m))
}

// RefuseUndefined fails if one of the values is undefined.
func RefuseUndefined(m *Meter, values ...Value) {
	for _, v := range values {
		if u, ok := v.(*Undefined); ok {
			u.Fail(m)
		}
	}
}

// Text returns a value that is a text, marked as safe or not.
func Text(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case Markup:
		return string(v), true
	}
	return "", false
}

// Like returns text as a Markup if model is one.
func Like(model Value, text string) Value {
	if _, ok := model.(Markup); ok {
		return Markup(text)
	}
	return text
}

// TypeName returns the name of a value's type in Python.
func TypeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Markup:
		return "Markup"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Range:
		return "range"
	case *View:
		return "dict_" + v.Kind
	case *Generator:
		return "generator"
	case *Namespace:
		return "Namespace"
	case *Undefined:
		if v.Strict {
			return "StrictUndefined"
		}
		return "Undefined"
	case *Function:
		return "function"
	}
	return fmt.Sprintf("%T", v)
}

func describeType(v Value) string {
	if v == nil {
		return "None"
	}
	return TypeName(v) + " object"
}
