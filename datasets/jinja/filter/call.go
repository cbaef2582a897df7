package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/method"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Environment is what filters that call other filters and tests see of a rendering.
type Environment interface {
	Filter(name, v value.Value, args value.Args) value.Value
	Test(name, v value.Value, args value.Args) value.Value
	HasFilter(name string) bool
	HasTest(name string) bool
}

// Call is a call of a filter or test.
type Call struct {
	Meter  *value.Meter
	Access method.Access
	Env    Environment
	Value  value.Value   // before the |
	Args   []value.Value // of the parameters, in their order
	Raw    value.Args    // as they were given
}

// Filter is a filter or test: its parameters after the value, and what it does. A variadic one reads Call.Raw.
type Filter struct {
	Params   []value.Param
	Variadic bool
	Body     func(c *Call) value.Value
}

// need and opt make lists of parameters.
var (
	need = value.Need
	opt  = value.Opt
)

// Run binds the arguments and calls the filter.
func (f Filter) Run(name string, c *Call) value.Value {
	c.Meter.Step(1)
	if !f.Variadic {
		c.Args = c.Raw.Bind(name, f.Params)
	}
	return f.Body(c)
}

// text returns the value as text, marked as safe if it is.
func (c *Call) text() (string, value.Value) {
	if text, ok := value.Text(c.Value); ok {
		return text, c.Value
	}
	text := value.Str(c.Meter, c.Value)
	return text, text
}

// undefined returns what a filter gives for an empty sequence.
func (c *Call) undefined(hint string) value.Value {
	return &value.Undefined{Hint: hint, Strict: c.Access.Strict}
}

// attribute returns a function that follows an attribute such as "a.0.b" of an item. A nil attribute is the item.
// Where def is not nil, it stands for what is undefined.
func (c *Call) attribute(attribute, def value.Value) func(value.Value) value.Value {
	parts := attributeParts(attribute)
	return func(item value.Value) value.Value {
		for _, part := range parts {
			c.Meter.Step(1)
			item = c.Access.GetItem(c.Meter, item, part)
			if _, ok := item.(*value.Undefined); ok && def != nil {
				item = def
			}
		}
		return item
	}
}

func attributeParts(attribute value.Value) []value.Value {
	if attribute == nil {
		return nil
	}
	text, ok := value.Text(attribute)
	if !ok {
		return []value.Value{attribute}
	}
	var parts []value.Value
	for part := range strings.SplitSeq(text, ".") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && value.Predicate("isdigit")(part) {
			parts = append(parts, n)
		} else {
			parts = append(parts, part)
		}
	}
	return parts
}

// key returns what an item is sorted by: its attribute, in lower case unless cases differ.
func (c *Call) key(attribute, def value.Value, caseSensitive bool) func(value.Value) value.Value {
	get := c.attribute(attribute, def)
	return func(item value.Value) value.Value {
		v := get(item)
		if text, ok := value.Text(v); ok && !caseSensitive {
			c.Meter.Text(len(text))
			return value.Like(v, value.Lower(text))
		}
		return v
	}
}

// sorted sorts items by their keys, and keeps the order of those with equal keys.
func (c *Call) sorted(items []value.Value, key func(value.Value) value.Value, reverse bool) []value.Value {
	type keyed struct{ item, key value.Value }
	all := make([]keyed, c.Meter.Items(2*len(items))/2)
	for i, item := range items {
		all[i] = keyed{item, key(item)}
	}
	if reverse {
		slices.Reverse(all)
	}
	slices.SortStableFunc(all, func(a, b keyed) int {
		c.Meter.Step(8)
		switch {
		case value.Order(c.Meter, "<", a.key, b.key):
			return -1
		case value.Order(c.Meter, "<", b.key, a.key):
			return 1
		}
		return 0
	})
	if reverse {
		slices.Reverse(all)
	}
	for i := range all {
		items[i] = all[i].item
	}
	return items
}
