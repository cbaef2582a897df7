package jinja

import (
	"context"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/method"
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Template is a template that has been read. It is safe for concurrent use.
type Template struct {
	tree    *syntax.Template
	options Options
}

// Expression is an expression that has been read. It is safe for concurrent use.
type Expression struct{ template *Template }

// Parse reads a template. Errors are of type *Error.
func Parse(source string, options Options) (*Template, error) {
	return parse(syntax.Parse, source, options)
}

// parse reads a source; whatever hostile text does to the parser, it does not end the process.
func parse(
	read func(string, syntax.Options, syntax.Known) (*syntax.Template, error), source string, options Options,
) (_ *Template, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = failure(p, 0)
		}
	}()
	tree, err := read(source, options.syntax(), syntax.Known{Filter: options.hasFilter, Test: hasTest})
	if err != nil {
		return nil, syntaxError(err)
	}
	return &Template{tree, options}, nil
}

// ParseExpression reads a source that is one {{ expression }}, whose value keeps its type: a list stays a list.
func ParseExpression(source string, options Options) (*Expression, error) {
	t, err := parse(syntax.ParseExpression, source, options)
	if err != nil {
		return nil, err
	}
	return &Expression{t}, nil
}

// Reads reports whether the template uses a variable or function of this name.
func (t *Template) Reads(name string) bool { return t.tree.Reads(name) }

// Render returns the text of the template for some variables. Their values are those that value.FromGo takes: nil,
// bool, numbers, json.Number, texts, slices, maps (whose keys are sorted), *Dict and *List. Errors are of type *Error,
// or *Raised if the template refuses its variables.
func (t *Template) Render(ctx context.Context, variables map[string]any) (text string, err error) {
	err = t.run(ctx, variables, func(r *run, f *frame) {
		r.statements(t.tree.Body, f)
		text = r.out.String()
	})
	return text, err
}

// Value returns the value of the expression as a Go value: nil, bool, int64, *big.Int, float64, string, []any or
// map[string]any.
func (e *Expression) Value(ctx context.Context, variables map[string]any) (v any, err error) {
	output, _ := e.template.tree.Body[0].(*syntax.Output)
	err = e.template.run(ctx, variables, func(r *run, f *frame) {
		r.line = output.Line
		v = value.ToGo(r.meter, r.eval(output.Parts[0], f))
	})
	return v, err
}

// run calls render with what a rendering needs, and turns its panics into errors.
func (t *Template) run(ctx context.Context, variables map[string]any, render func(*run, *frame)) (err error) {
	size := 0
	converted := make(map[string]value.Value, len(variables))
	for name, v := range variables {
		c, err := value.FromGo(v, &size)
		if err != nil { // who uses the variable fails
			c = &value.Undefined{Hint: "variable " + name + ": " + err.Error(), Name: name, Strict: true, Kind: "TypeError"}
		}
		converted[name] = c
	}
	r := &run{
		meter: value.NewMeter(ctx, size), tree: t.tree, options: t.options,
		access: method.Access{Strict: t.options.StrictUndefined}, out: &strings.Builder{},
	}
	defer func() {
		if p := recover(); p != nil {
			err = failure(p, r.line)
		}
	}()
	r.body = r.statements
	r.meter.Step(1)
	f := newFrame(t.tree.Func, nil, &scope{run: r, variables: converted})
	f.enter(t.tree.Scope)
	render(r, f)
	return nil
}
