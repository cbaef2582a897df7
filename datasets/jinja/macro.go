package jinja

import (
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// macro is a macro, or the body of a call block. It sees the variables of the function that it stands in.
type macro struct {
	run   *run
	node  *syntax.Macro
	outer *frame
}

// Call implements value.Callable.
func (c *macro) Call(m *value.Meter, args value.Args) value.Value {
	m.Enter()
	defer m.Leave()
	m.Step(8)
	node := c.node
	f := newFrame(node.Func, c.outer, c.outer.scope)
	c.bind(f, args)
	f.enter(node.Scope)
	return c.run.capture(func() {
		first := len(node.Args) - len(node.Defaults)
		for i, arg := range node.Args {
			place := f.at(arg.Ref)
			if *place != (missing{}) {
				continue
			}
			if i >= first {
				*place = c.run.eval(node.Defaults[i-first], f)
			} else {
				hint := "parameter '" + arg.Name + "' was not provided"
				*place = &value.Undefined{Hint: hint, Name: arg.Name, Strict: c.run.options.StrictUndefined}
			}
		}
		c.run.body(node.Body, f)
	})
}

// bind gives the arguments of a call to the variables of the macro.
func (c *macro) bind(f *frame, args value.Args) {
	node := c.node
	named := &value.Dict{}
	if args.Named.Len() > 0 {
		named = args.Named.Copy(c.run.meter)
	}
	foundCaller := false
	for i, arg := range node.Args {
		foundCaller = foundCaller || arg.Name == "caller"
		if i < len(args.Positional) {
			*f.at(arg.Ref) = args.Positional[i]
		} else if v, ok := named.Lookup(c.run.meter, arg.Name); ok {
			*f.at(arg.Ref) = v
			named.Delete(c.run.meter, arg.Name)
		}
	}
	if node.TakesCaller && !foundCaller {
		caller, _ := named.Lookup(c.run.meter, "caller")
		named.Delete(c.run.meter, "caller")
		if caller == nil {
			caller = &value.Undefined{Hint: "No caller defined", Name: "caller", Strict: c.run.options.StrictUndefined}
		}
		f.slots[node.Caller] = caller
	}
	switch {
	case node.TakesKwargs:
		f.slots[node.Kwargs] = named
	case named.Len() > 0:
		key, _ := named.At(0)
		value.Fail("TypeError", "macro '%s' takes no keyword argument '%v'", node.Name, key)
	}
	extra := args.Positional[min(len(node.Args), len(args.Positional)):]
	switch {
	case node.TakesVargs:
		f.slots[node.Varargs] = &value.Tuple{Items: extra}
	case len(extra) > 0:
		value.Fail("TypeError", "macro '%s' takes not more than %d argument(s)", node.Name, len(node.Args))
	}
}

// Attribute implements value.Object.
func (c *macro) Attribute(_ *value.Meter, name string) (value.Value, bool) {
	switch name {
	case "name":
		if c.node.Name == "" {
			return nil, true
		}
		return c.node.Name, true
	case "arguments":
		names := &value.Tuple{}
		for _, arg := range c.node.Args {
			names.Items = append(names.Items, arg.Name)
		}
		return names, true
	case "catch_kwargs":
		return c.node.TakesKwargs, true
	case "catch_varargs":
		return c.node.TakesVargs, true
	case "caller":
		return c.node.TakesCaller, true
	case "explicit_caller":
		for _, arg := range c.node.Args {
			if arg.Name == "caller" {
				return true, true
			}
		}
		return false, true
	}
	return nil, false
}

// Describe implements value.Object.
func (c *macro) Describe(m *value.Meter) (string, bool) {
	if c.node.Name == "" {
		return "<Macro anonymous>", true
	}
	return "<Macro " + value.Repr(m, c.node.Name) + ">", true
}
