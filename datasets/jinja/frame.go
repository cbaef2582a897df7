package jinja

import (
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/method"
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// run is one rendering.
type run struct {
	meter   *value.Meter
	tree    *syntax.Template
	options Options
	access  method.Access
	out     *strings.Builder // what is being written: the text, or the result of a macro or block
	line    int              // where the rendering is, for errors

	body func(nodes []syntax.Node, f *frame) control // runs statements; those of macros and loops go through it
}

// control says how a body ended.
type control int

const (
	goOn control = iota
	breakLoop
	continueLoop
)

// write adds to the text.
func (r *run) write(text string) {
	r.meter.Text(len(text))
	r.meter.Fits(r.out.Len() + len(text))
	r.out.WriteString(text)
}

// capture returns what body writes.
func (r *run) capture(body func()) string {
	outer := r.out
	r.out = &strings.Builder{}
	body()
	text := r.out.String()
	r.out = outer
	return text
}

// missing is what a variable holds that has no value.
type missing struct{}

// frame has the variables of a function while it runs.
type frame struct {
	slots []value.Value
	outer *frame
	scope *scope
}

func newFrame(f *syntax.Function, outer *frame, s *scope) *frame {
	slots := make([]value.Value, f.Slots)
	for i := range slots {
		slots[i] = missing{}
	}
	return &frame{slots, outer, s}
}

// at returns a variable.
func (f *frame) at(ref syntax.Ref) *value.Value {
	for range ref.Hops {
		f = f.outer
	}
	return &f.slots[ref.Slot]
}

// enter gives the variables of a scope their first values.
func (f *frame) enter(s syntax.Scope) {
	for _, load := range s.Enter {
		switch {
		case load.From != nil:
			f.slots[load.Slot] = *f.at(*load.From)
		case load.Lookup != "":
			f.slots[load.Slot] = f.scope.lookup(load.Lookup)
		default:
			f.slots[load.Slot] = missing{}
		}
	}
}

// leave forgets the variables of a scope.
func (f *frame) leave(s syntax.Scope) {
	for _, slot := range s.Leave {
		f.slots[slot] = missing{}
	}
}

// scope finds variables that no function has: those of the rendering, what the top level sets, and global functions.
type scope struct {
	run       *run
	outer     *scope
	variables map[string]value.Value
	assigned  map[string]value.Value // by the top level
}

func (s *scope) lookup(name string) value.Value {
	for at := s; at != nil; at = at.outer {
		if v, ok := at.assigned[name]; ok {
			return v
		}
		if v, ok := at.variables[name]; ok {
			return v
		}
	}
	if f, ok := s.run.options.Functions[name]; ok {
		return goFunction(name, f)
	}
	if v := global(s.run.access, name); v != nil {
		return v
	}
	return missing{}
}

// assign makes a variable of the top level visible to blocks.
func (s *scope) assign(name string, v value.Value) {
	if s.assigned == nil {
		s.assigned = map[string]value.Value{}
	}
	s.assigned[name] = v
}

// goFunction returns a function of the options as a value.
func goFunction(name string, f Function) *value.Function {
	return &value.Function{Name: name, Body: func(m *value.Meter, args value.Args) value.Value {
		args.RefuseNamed(name)
		plain := make([]any, len(args.Positional))
		for i, v := range args.Positional {
			plain[i] = value.ToGo(m, v)
		}
		result, err := f(plain)
		if err == nil {
			size := 0
			var v value.Value
			if v, err = value.FromGo(result, &size); err == nil {
				m.Items(size / 16)
				return v
			}
		}
		panic(&value.Failure{Kind: name, Message: err.Error(), Cause: err})
	}}
}
