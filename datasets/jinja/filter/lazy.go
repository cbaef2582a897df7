package filter

import "github.com/bfpo-go/bfpo/datasets/jinja/value"

// lazily returns a generator whose source is only made when its first value is asked for, as in Python.
// Generators of generators may not nest too deep.
func lazily(m *value.Meter, source func() func() (value.Value, bool)) value.Value {
	var next func() (value.Value, bool)
	return &value.Generator{Source: func() (value.Value, bool) {
		m.Descend()
		defer m.Ascend()
		if next == nil {
			next = source()
		}
		return next()
	}}
}

func nothing() (value.Value, bool) { return nil, false }

func items(c *Call) value.Value {
	return lazily(c.Meter, func() func() (value.Value, bool) {
		switch v := c.Value.(type) {
		case *value.Undefined:
			return nothing
		case *value.Dict:
			return value.Iterate(c.Meter, &value.View{Dict: v, Kind: "items"}).Next
		}
		value.Fail("TypeError", "Can only get item pairs from a mapping.")
		return nothing
	})
}

func mapItems(c *Call) value.Value {
	return lazily(c.Meter, func() func() (value.Value, bool) {
		if !value.Truth(c.Meter, c.Value) {
			return nothing
		}
		f := mapper(c)
		it := value.Iterate(c.Meter, c.Value)
		return func() (value.Value, bool) {
			item, ok := it.Next()
			if !ok {
				return nil, false
			}
			return f(item), true
		}
	})
}

// mapper returns what the filter map does with each item.
func mapper(c *Call) func(value.Value) value.Value {
	args := c.Raw
	if attribute, ok := args.Named.Lookup(c.Meter, "attribute"); ok && len(args.Positional) == 0 {
		def, hasDefault := args.Named.Lookup(c.Meter, "default")
		extra := args.Named.Len() - 1
		if hasDefault {
			extra--
		}
		if extra > 0 {
			value.Fail("FilterArgumentError", "Unexpected keyword argument of map")
		}
		return c.attribute(attribute, def)
	}
	if len(args.Positional) == 0 {
		value.Fail("FilterArgumentError", "map requires a filter argument")
	}
	name, args := args.Positional[0], value.Args{Positional: args.Positional[1:], Named: args.Named}
	return func(item value.Value) value.Value { return c.Env.Filter(name, item, args) }
}

// choose returns one of the filters select, reject, selectattr and rejectattr.
func choose(byAttribute, keep bool) func(*Call) value.Value {
	return func(c *Call) value.Value {
		return lazily(c.Meter, func() func() (value.Value, bool) {
			if !value.Truth(c.Meter, c.Value) {
				return nothing
			}
			isWanted := condition(c, byAttribute)
			it := value.Iterate(c.Meter, c.Value)
			return func() (value.Value, bool) {
				for {
					c.Meter.Step(1)
					item, ok := it.Next()
					if !ok {
						return nil, false
					}
					if isWanted(item) == keep {
						return item, true
					}
				}
			}
		})
	}
}

func condition(c *Call, byAttribute bool) func(value.Value) bool {
	args := c.Raw.Positional
	get := func(item value.Value) value.Value { return item }
	if byAttribute {
		if len(args) == 0 {
			value.Fail("FilterArgumentError", "Missing parameter for attribute name")
		}
		get, args = c.attribute(args[0], nil), args[1:]
	}
	if len(args) == 0 {
		return func(item value.Value) bool { return value.Truth(c.Meter, get(item)) }
	}
	name, rest := args[0], value.Args{Positional: args[1:], Named: c.Raw.Named}
	return func(item value.Value) bool {
		return value.Truth(c.Meter, c.Env.Test(name, get(item), rest))
	}
}

func unique(c *Call) value.Value {
	return lazily(c.Meter, func() func() (value.Value, bool) {
		key := c.key(c.Args[1], nil, value.Truth(c.Meter, c.Args[0]))
		seen := map[any]bool{}
		it := value.Iterate(c.Meter, c.Value)
		return func() (value.Value, bool) {
			for {
				c.Meter.Step(1)
				item, ok := it.Next()
				if !ok {
					return nil, false
				}
				if k := value.Key(c.Meter, key(item)); !seen[k] {
					c.Meter.Items(4)
					seen[k] = true
					return item, true
				}
			}
		}
	})
}

func batch(c *Call) value.Value {
	return lazily(c.Meter, func() func() (value.Value, bool) {
		it := value.Iterate(c.Meter, c.Value)
		var part []value.Value
		done := false
		return func() (value.Value, bool) {
			for !done {
				item, ok := it.Next()
				if !ok {
					break
				}
				full := value.Equal(c.Meter, int64(len(part)), c.Args[0])
				c.Meter.Items(1)
				if full {
					out := &value.List{Items: part}
					part = []value.Value{item}
					return out, true
				}
				part = append(part, item)
			}
			if done || len(part) == 0 {
				return nil, false
			}
			done = true
			return &value.List{Items: fill(c, part)}, true
		}
	})
}

// fill adds the filter's second argument until a part has as many items as its first says.
func fill(c *Call, part []value.Value) []value.Value {
	if c.Args[1] == nil {
		return part
	}
	missing := value.Index(c.Meter, c.Args[0]) - int64(len(part))
	for c.Meter.Items(int(max(missing, 0))); missing > 0; missing-- {
		part = append(part, c.Args[1])
	}
	return part
}

func slice(c *Call) value.Value {
	return lazily(c.Meter, func() func() (value.Value, bool) {
		all := value.Collect(c.Meter, c.Value)
		slices := value.Index(c.Meter, c.Args[0])
		if slices == 0 {
			value.Fail("ZeroDivisionError", "integer division or modulo by zero")
		}
		if slices < 0 {
			return nothing
		}
		size, extra := int64(len(all))/slices, int64(len(all))%slices
		n := int64(0)
		return func() (value.Value, bool) {
			if n == slices {
				return nil, false
			}
			part := size
			if n < extra {
				part++
			}
			items := append(make([]value.Value, 0, c.Meter.Items(int(part)+1)), all[:part]...)
			all = all[part:]
			if c.Args[1] != nil && n >= extra {
				items = append(items, c.Args[1])
			}
			n++
			return &value.List{Items: items}, true
		}
	})
}
