package jinja

import (
	"context"
	"maps"

	"github.com/bfpo-go/bfpo/datasets/jinja/filter"
	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Options are how a template is read and what it can use. The zero value is Jinja's default environment, in the
// sandbox.
type Options struct {
	TrimBlocks          bool // the newline after a tag is dropped
	LStripBlocks        bool // blanks before a tag that begins a line are dropped
	KeepTrailingNewline bool // of the template
	StrictUndefined     bool // undefined values may not even be printed
	LoopControls        bool // break and continue are tags
	Do                  bool // do is a tag
	Generation          bool // generation is a tag, which writes its body
	PlainJSON           bool // tojson is Python's json.dumps, as in transformers, not Jinja's filter for HTML

	Functions map[string]Function // global functions by name
}

// Function is a function that templates can call. Arguments and result are Go values: nil, bool, int64, float64,
// string, []any and map[string]any. An error ends the rendering, and is wrapped in the rendering's error.
type Function func(args []any) (any, error)

// Dict is an ordered dict; variables may be or contain some.
type Dict = value.Dict

// List is a list of values; variables may be or contain some.
type List = value.List

// NewDict returns a dict of texts to values: key, value, key, value, and so on.
func NewDict(pairs ...any) *Dict { return value.NewDict(pairs...) }

// DecodeJSON reads a JSON value as Python's json.loads does: objects become a *Dict with their keys in order.
func DecodeJSON(data []byte) (any, error) { return value.DecodeJSON(data) }

// FromGo returns a Go value as templates see it: see Template.Render. Lists become a *List, and json.Numbers numbers.
func FromGo(v any) (any, error) {
	size := 0
	return value.FromGo(v, &size)
}

// EncodeJSON writes a value of DecodeJSON as Python's json.dumps does.
func EncodeJSON(v any) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = failure(p, 0)
		}
	}()
	size := 0
	plain, err := value.FromGo(v, &size)
	if err != nil {
		return nil, err
	}
	style := operator.JSONStyle{Item: ", ", Pair: ": "}
	return []byte(operator.JSON(value.NewMeter(context.Background(), 64*size), plain, style)), nil
}

// Chat returns the options of chat templates, as transformers sets them, with functions beside raise_exception.
func Chat(functions map[string]Function) Options {
	o := Options{TrimBlocks: true, LStripBlocks: true, LoopControls: true, Generation: true, PlainJSON: true}
	o.Functions = map[string]Function{"raise_exception": raiseException}
	maps.Copy(o.Functions, functions)
	return o
}

func (o Options) syntax() syntax.Options {
	return syntax.Options{
		TrimBlocks: o.TrimBlocks, LStripBlocks: o.LStripBlocks, KeepTrailingNewline: o.KeepTrailingNewline,
		LoopControls: o.LoopControls, Do: o.Do, Generation: o.Generation,
	}
}

// filter returns the filter of a name.
func (o Options) filter(name string) (filter.Filter, bool) {
	if name == "tojson" && o.PlainJSON {
		return filter.PlainJSON, true
	}
	f, ok := filter.Filters[name]
	return f, ok
}

func (o Options) hasFilter(name string) bool {
	_, ok := o.filter(name)
	return ok
}

func hasTest(name string) bool {
	_, ok := filter.Tests[name]
	return ok
}
