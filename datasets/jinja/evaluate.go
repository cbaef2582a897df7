package jinja

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/filter"
	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// eval returns the value of an expression.
func (r *run) eval(node syntax.Node, f *frame) value.Value {
	r.meter.Step(1)
	switch node := node.(type) {
	case *syntax.Const:
		return node.Value
	case *syntax.Data:
		return node.Text
	case *syntax.Name:
		return r.variable(*f.at(node.Ref), node)
	case *syntax.GetAttr:
		of := r.eval(node.Of, f)
		r.line = node.Line
		return r.access.GetAttr(r.meter, of, node.Name)
	case *syntax.GetItem:
		return r.item(node, f)
	case *syntax.Call:
		return r.call(node, f, nil)
	case *syntax.Filter:
		return r.filter(node, f, "")
	case *syntax.Test:
		return r.test(node, f)
	}
	return r.operation(node, f)
}

// variable returns what a variable holds.
func (r *run) variable(v value.Value, node *syntax.Name) value.Value {
	if _, isMissing := v.(missing); !isMissing {
		return v
	}
	if node.Bound { // Jinja writes the word "missing"
		value.Fail(value.Unsupported, "the variable '%s' is used after its loop has ended", node.Name)
	}
	return &value.Undefined{Name: node.Name, Strict: r.options.StrictUndefined}
}

// operation returns the value of an operator or literal.
func (r *run) operation(node syntax.Node, f *frame) value.Value {
	switch node := node.(type) {
	case *syntax.Binary:
		left, right := r.eval(node.Left, f), r.eval(node.Right, f)
		r.line = node.Line
		return operator.Arithmetic(r.meter, node.Op, left, right)
	case *syntax.Logic:
		left := r.eval(node.Left, f)
		if value.Truth(r.meter, left) == (node.Op == "or") {
			return left
		}
		return r.eval(node.Right, f)
	case *syntax.Unary:
		v := r.eval(node.Operand, f)
		r.line = node.Line
		if node.Op == "not" {
			return !value.Truth(r.meter, v)
		}
		return value.Negate(r.meter, v, node.Op == "-")
	case *syntax.Compare:
		return r.compare(node, f)
	case *syntax.Concat:
		r.line = node.Line
		return r.concat(node.Parts, f)
	case *syntax.Cond:
		return r.cond(node, f)
	case *syntax.Tuple:
		return &value.Tuple{Items: r.evalAll(node.Items, f)}
	case *syntax.List:
		return &value.List{Items: r.evalAll(node.Items, f)}
	case *syntax.Dict:
		d := &value.Dict{}
		for i, key := range node.Keys {
			r.meter.Items(2)
			k := r.eval(key, f)
			d.Store(r.meter, k, r.eval(node.Values[i], f))
		}
		return d
	}
	panic(fmt.Sprintf("a %T has no value", node))
}

func (r *run) evalAll(nodes []syntax.Node, f *frame) []value.Value {
	values := make([]value.Value, r.meter.Items(len(nodes)))
	for i, node := range nodes {
		values[i] = r.eval(node, f)
	}
	return values
}

func (r *run) cond(node *syntax.Cond, f *frame) value.Value {
	switch {
	case value.Truth(r.meter, r.eval(node.Test, f)):
		return r.eval(node.Then, f)
	case node.Else != nil:
		return r.eval(node.Else, f)
	}
	return &value.Undefined{Hint: fmt.Sprintf("the inline if-expression on line %d evaluated to false and no else "+
		"section was defined.", node.Line)}
}

func (r *run) concat(parts []syntax.Node, f *frame) value.Value {
	texts := make([]string, len(parts))
	size := 0
	for i, v := range r.evalAll(parts, f) {
		texts[i] = value.Str(r.meter, v)
		size += len(texts[i])
	}
	r.meter.Text(size)
	return strings.Join(texts, "")
}

func (r *run) compare(node *syntax.Compare, f *frame) value.Value {
	left := r.eval(node.First, f)
	for i, op := range node.Ops {
		right := r.eval(node.Operands[i], f)
		r.line = node.Line
		if !r.holds(op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (r *run) holds(op string, left, right value.Value) bool {
	switch op {
	case "==":
		return value.Equal(r.meter, left, right)
	case "!=":
		return !value.Equal(r.meter, left, right)
	case "in":
		return value.Contains(r.meter, right, left)
	case "not in":
		return !value.Contains(r.meter, right, left)
	}
	return value.Order(r.meter, op, left, right)
}

func (r *run) item(node *syntax.GetItem, f *frame) value.Value {
	of := r.eval(node.Of, f)
	s, isSlice := node.Arg.(*syntax.Slice)
	if !isSlice {
		key := r.eval(node.Arg, f)
		r.line = node.Line
		return r.access.GetItem(r.meter, of, key)
	}
	var bounds [3]value.Value
	for i, bound := range []syntax.Node{s.Start, s.Stop, s.Step} {
		if bound != nil {
			bounds[i] = r.eval(bound, f)
		}
	}
	r.line = node.Line
	return value.Slice(r.meter, of, bounds[0], bounds[1], bounds[2])
}

// call calls a function; caller is the body of a call block, or nil.
func (r *run) call(node *syntax.Call, f *frame, caller value.Value) value.Value {
	function := r.eval(node.Func, f)
	args := r.arguments(&node.Args, f)
	r.line = node.Line
	if caller != nil {
		r.name(&args, "caller", caller)
	}
	callable, ok := function.(value.Callable)
	if !ok {
		if u, ok := function.(*value.Undefined); ok {
			u.Fail(r.meter)
		}
		value.Fail("TypeError", "'%s' object is not callable", value.TypeName(function))
	}
	result := callable.Call(r.meter, args)
	r.line = node.Line
	return result
}

// arguments returns the values of arguments.
func (r *run) arguments(node *syntax.Arguments, f *frame) (args value.Args) {
	if len(node.Positional) > 0 {
		args.Positional = r.evalAll(node.Positional, f)
	}
	if node.Star != nil {
		args.Positional = append(args.Positional, value.Collect(r.meter, r.eval(node.Star, f))...)
	}
	for i, name := range node.Names {
		r.name(&args, name, r.eval(node.Named[i], f))
	}
	if node.StarStar != nil {
		v := r.eval(node.StarStar, f)
		d, ok := v.(*value.Dict)
		if !ok {
			value.Fail("TypeError", "argument after ** must be a mapping, not %s", value.TypeName(v))
		}
		for key, v := range d.All() {
			name, ok := value.Text(key)
			if !ok {
				value.Fail("TypeError", "keywords must be strings")
			}
			r.name(&args, name, v)
		}
	}
	return args
}

// name adds a keyword argument.
func (r *run) name(args *value.Args, name string, v value.Value) {
	if args.Named == nil {
		args.Named = &value.Dict{}
	}
	if _, ok := args.Named.Lookup(r.meter, name); ok {
		value.Fail("TypeError", "got multiple values for keyword argument '%s'", name)
	}
	r.meter.Items(2)
	r.meter.Step(4)
	args.Named.Store(r.meter, name, v)
}

// filter returns a filter's result. The first filter of a block takes its text.
func (r *run) filter(node *syntax.Filter, f *frame, text string) value.Value {
	of := value.Value(text)
	if inner, ok := node.Of.(*syntax.Filter); ok {
		of = r.filter(inner, f, text)
	} else if node.Of != nil {
		of = r.eval(node.Of, f)
	}
	args := r.arguments(&node.Args, f)
	r.line = node.Line
	return r.Filter(node.Name, of, args)
}

func (r *run) test(node *syntax.Test, f *frame) value.Value {
	of := r.eval(node.Of, f)
	args := r.arguments(&node.Args, f)
	r.line = node.Line
	return r.Test(node.Name, of, args)
}

// Filter implements filter.Environment.
func (r *run) Filter(name, v value.Value, args value.Args) value.Value {
	text, _ := value.Text(name)
	f, ok := r.options.filter(text)
	if !ok {
		value.Fail("TemplateRuntimeError", "No filter named %s.", value.Repr(r.meter, name))
	}
	return f.Run(text, r.filterCall(v, args))
}

// Test implements filter.Environment.
func (r *run) Test(name, v value.Value, args value.Args) value.Value {
	text, _ := value.Text(name)
	f, ok := filter.Tests[text]
	if !ok {
		value.Fail("TemplateRuntimeError", "No test named %s.", value.Repr(r.meter, name))
	}
	return f.Run(text, r.filterCall(v, args))
}

func (r *run) filterCall(v value.Value, args value.Args) *filter.Call {
	return &filter.Call{Meter: r.meter, Access: r.access, Env: r, Value: v, Raw: args}
}

// HasFilter implements filter.Environment.
func (r *run) HasFilter(name string) bool { return r.options.hasFilter(name) }

// HasTest implements filter.Environment.
func (r *run) HasTest(name string) bool { return hasTest(name) }
