package jinja

import (
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// loop runs a for statement.
func (r *run) loop(node *syntax.For, f *frame) control {
	r.line = node.Line
	over := r.eval(node.Iter, f)
	if !node.Recursive {
		return r.iterate(node, over, f, 0)
	}
	r.write(r.recurse(node, over, f, 0))
	return goOn
}

// recurse returns the text of a recursive loop over a value.
func (r *run) recurse(node *syntax.For, over value.Value, outer *frame, depth int64) string {
	r.meter.Enter()
	defer r.meter.Leave()
	f := newFrame(node.Func, outer, outer.scope)
	return r.capture(func() { r.iterate(node, over, f, depth) })
}

// iterate runs the body of a loop for every item of a value. Jinja runs the part after else unless the body came to its
// end once, so it also runs if every iteration ended with continue.
func (r *run) iterate(node *syntax.For, over value.Value, f *frame, depth int64) control {
	if node.Test != nil {
		outer := f
		if node.Recursive { // the filter stands outside the loop's function
			outer = f.outer
		}
		over = r.filtered(node, over, outer)
	}
	var next func() (value.Value, bool)
	var context *loopContext
	if node.Extended {
		*f.at(node.Loop) = missing{}
		context = &loopContext{run: r, node: node, frame: f, over: over, depth: depth, index: -1}
		context.items = value.Iterate(r.meter, over)
		next = context.next
	} else {
		next = value.Iterate(r.meter, over).Next
	}
	ended := false
	for {
		r.meter.Step(1)
		item, ok := next()
		if !ok {
			break
		}
		r.assign(node.Target, item, f, false)
		if node.Extended {
			*f.at(node.Loop) = context
		}
		f.enter(node.BodyScope)
		c := r.body(node.Body, f)
		if c == breakLoop {
			break
		}
		ended = ended || c == goOn
	}
	f.leave(node.BodyScope)
	if ended || node.Else == nil {
		return goOn
	}
	f.enter(node.ElseScope)
	c := r.body(node.Else, f)
	if c == goOn {
		f.leave(node.ElseScope)
	}
	return c
}

// filtered returns the items that pass a loop's filter, each tested when it is asked for.
func (r *run) filtered(node *syntax.For, over value.Value, outer *frame) value.Value {
	var f *frame
	var items value.Iterator
	return &value.Generator{Source: func() (value.Value, bool) {
		r.meter.Descend()
		defer r.meter.Ascend()
		if f == nil {
			f = newFrame(node.Filter, outer, outer.scope)
			f.enter(node.TestScope)
			items = value.Iterate(r.meter, over)
		}
		for {
			r.meter.Step(1)
			item, ok := items.Next()
			if !ok {
				return nil, false
			}
			r.assign(node.Target, item, f, true)
			if value.Truth(r.meter, r.eval(node.Test, f)) {
				return r.targetValue(node.Target, f), true
			}
		}
	}}
}

// targetValue returns what the filter of a loop hands on: its target, built anew.
func (r *run) targetValue(target syntax.Node, f *frame) value.Value {
	switch target := target.(type) {
	case *syntax.Name:
		return *f.at(target.FilterRef)
	case *syntax.Tuple:
		t := &value.Tuple{Items: make([]value.Value, len(target.Items))}
		for i, item := range target.Items {
			t.Items[i] = r.targetValue(item, f)
		}
		return t
	}
	return nil
}

// loopContext is the variable loop.
type loopContext struct {
	run   *run
	node  *syntax.For
	frame *frame
	over  value.Value
	items value.Iterator

	index, depth     int64
	length           int64 // once it is known
	lengthIsKnown    bool
	before, current  value.Value
	ahead            value.Value // the next item, once it was peeked at
	peeked, aheadEnd bool
	changedValue     *value.Tuple
}

// next takes the next item.
func (l *loopContext) next() (value.Value, bool) {
	v, ok := l.ahead, !l.aheadEnd
	if !l.peeked {
		v, ok = l.items.Next()
	}
	l.peeked, l.aheadEnd, l.ahead = false, false, nil
	if !ok {
		return nil, false
	}
	l.index++
	l.before, l.current = l.current, v
	return v, true
}

// Next implements value.Iterator: who loops over the loop itself takes its items away.
func (l *loopContext) Next() (value.Value, bool) {
	v, ok := l.next()
	return &value.Tuple{Items: []value.Value{v, l}}, ok
}

// peek looks at the item after the current one.
func (l *loopContext) peek() (value.Value, bool) {
	if !l.peeked || l.aheadEnd {
		v, ok := l.items.Next()
		l.ahead, l.aheadEnd, l.peeked = v, !ok, true
	}
	return l.ahead, !l.aheadEnd
}

// Length implements value.Sized. The items of a generator are collected to count them.
func (l *loopContext) Length(m *value.Meter) int64 {
	if l.lengthIsKnown {
		return l.length
	}
	n, ok := value.TryLen(m, l.over)
	if !ok {
		rest := value.Collect(m, &value.Generator{Source: l.items.Next})
		l.items = value.Iterate(m, &value.List{Items: rest})
		n = int64(len(rest)) + l.index + 1
		if l.peeked && !l.aheadEnd {
			n++
		}
	}
	l.length, l.lengthIsKnown = n, true
	return n
}

// Call implements value.Callable: a recursive loop calls itself.
func (l *loopContext) Call(m *value.Meter, args value.Args) value.Value {
	over := args.Bind("loop", value.Need("iterable"))[0]
	if !l.node.Recursive {
		value.Fail("TypeError", "The loop must have the 'recursive' marker to be called recursively.")
	}
	m.Step(1)
	return l.run.recurse(l.node, over, l.frame.outer, l.depth+1)
}

// Attribute implements value.Object.
func (l *loopContext) Attribute(m *value.Meter, name string) (value.Value, bool) {
	switch name {
	case "index":
		return l.index + 1, true
	case "index0":
		return l.index, true
	case "first":
		return l.index == 0, true
	case "last":
		_, more := l.peek()
		return !more, true
	case "length":
		return l.Length(m), true
	case "revindex":
		return l.Length(m) - l.index, true
	case "revindex0":
		return l.Length(m) - l.index - 1, true
	case "depth":
		return l.depth + 1, true
	case "depth0":
		return l.depth, true
	case "previtem":
		return l.neighbour(l.before, l.index > 0, "there is no previous item"), true
	case "nextitem":
		v, ok := l.peek()
		return l.neighbour(v, ok, "there is no next item"), true
	case "cycle":
		return &value.Function{Name: name, Body: l.cycle}, true
	case "changed":
		return &value.Function{Name: name, Body: l.changed}, true
	}
	return nil, false
}

func (l *loopContext) neighbour(v value.Value, ok bool, hint string) value.Value {
	if !ok {
		return &value.Undefined{Hint: hint, Strict: l.run.options.StrictUndefined}
	}
	return v
}

func (l *loopContext) cycle(_ *value.Meter, args value.Args) value.Value {
	args.RefuseNamed("cycle")
	if len(args.Positional) == 0 {
		value.Fail("TypeError", "no items for cycling given")
	}
	return args.Positional[l.index%int64(len(args.Positional))]
}

func (l *loopContext) changed(m *value.Meter, args value.Args) value.Value {
	args.RefuseNamed("changed")
	now := &value.Tuple{Items: args.Positional}
	if l.changedValue != nil && value.Equal(m, l.changedValue, now) {
		return false
	}
	l.changedValue = now
	return true
}

// Describe implements value.Object.
func (l *loopContext) Describe(m *value.Meter) (string, bool) {
	return fmt.Sprintf("<LoopContext %d/%d>", l.index+1, l.Length(m)), true
}
