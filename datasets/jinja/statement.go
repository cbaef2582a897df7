package jinja

import (
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// statements runs a body up to its end, or to a break or continue.
func (r *run) statements(nodes []syntax.Node, f *frame) control {
	for _, node := range nodes {
		if c := r.statement(node, f); c != goOn {
			return c
		}
	}
	return goOn
}

func (r *run) statement(node syntax.Node, f *frame) control {
	r.meter.Step(1)
	switch node := node.(type) {
	case *syntax.Output:
		r.line = node.Line
		for _, part := range node.Parts {
			r.write(value.Str(r.meter, r.eval(part, f)))
		}
	case *syntax.If:
		return r.ifChain(node, f)
	case *syntax.For:
		return r.loop(node, f)
	case *syntax.Assign:
		r.line = node.Line
		r.checkTarget(node.Target, f)
		r.assign(node.Target, r.eval(node.Value, f), f, false)
		r.export(node.Globals, f)
	case *syntax.AssignBlock:
		return r.assignBlock(node, f)
	case *syntax.Macro:
		m := &macro{r, node, f}
		*f.at(node.Ref) = m
		if node.TopLevel && r.tree.HasBlocks {
			f.scope.assign(node.Name, m)
		}
	case *syntax.CallBlock:
		r.callBlock(node, f)
	case *syntax.Break:
		return breakLoop
	case *syntax.Continue:
		return continueLoop
	case *syntax.Do:
		r.line = node.Line
		r.eval(node.Expr, f)
	default:
		return r.scoped(node, f)
	}
	return goOn
}

// scoped runs a statement that has variables of its own.
func (r *run) scoped(node syntax.Node, f *frame) (c control) {
	switch node := node.(type) {
	case *syntax.With:
		r.line = node.Line
		f.enter(node.Scope)
		for i, target := range node.Targets {
			r.assign(target, r.eval(node.Values[i], f), f, false)
		}
		if c = r.statements(node.Body, f); c == goOn {
			f.leave(node.Scope)
		}
	case *syntax.FilterBlock:
		f.enter(node.Scope)
		text := r.capture(func() { c = r.statements(node.Body, f) })
		if c == goOn {
			r.writeText(r.filter(node.Filter, f, text))
			f.leave(node.Scope)
		}
	case *syntax.Block:
		locals := map[string]value.Value{}
		for name, ref := range node.Locals {
			if v := *f.at(ref); v != (missing{}) {
				locals[name] = v
			}
		}
		s := f.scope
		if node.Scoped {
			s = &scope{run: r, outer: s, variables: locals}
		}
		inner := newFrame(node.Func, nil, s)
		inner.enter(node.Scope)
		r.statements(node.Body, inner)
	}
	return c
}

func (r *run) ifChain(node *syntax.If, f *frame) control {
	r.line = node.Line
	if value.Truth(r.meter, r.eval(node.Test, f)) {
		return r.statements(node.Body, f)
	}
	for _, elif := range node.Elif {
		r.line = elif.Line
		if value.Truth(r.meter, r.eval(elif.Test, f)) {
			return r.statements(elif.Body, f)
		}
	}
	return r.statements(node.Else, f)
}

func (r *run) assignBlock(node *syntax.AssignBlock, f *frame) (c control) {
	f.enter(node.Scope)
	text := r.capture(func() { c = r.statements(node.Body, f) })
	if c != goOn {
		return c
	}
	r.line = node.Line
	r.checkTarget(node.Target, f)
	v := value.Value(text)
	if node.Filter != nil {
		v = r.filter(node.Filter, f, text)
	}
	r.assign(node.Target, v, f, false)
	r.export(node.Globals, f)
	f.leave(node.Scope)
	return goOn
}

// writeText writes the result of a block's filter or call. Jinja does not make it a text.
func (r *run) writeText(v value.Value) {
	text, ok := value.Text(v)
	if !ok {
		value.Fail("TypeError", "expected str instance, %s found", value.TypeName(v))
	}
	r.write(text)
}

func (r *run) callBlock(node *syntax.CallBlock, f *frame) {
	r.line = node.Line
	body := &macro{r, node.Body, f}
	if node.Call == nil {
		r.write(value.Str(r.meter, body.Call(r.meter, value.Args{})))
		return
	}
	r.writeText(r.call(node.Call, f, body))
}
