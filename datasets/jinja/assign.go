package jinja

import (
	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// export makes variables visible to blocks.
func (r *run) export(names []*syntax.Name, f *frame) {
	if !r.tree.HasBlocks {
		return
	}
	for _, name := range names {
		f.scope.assign(name.Name, *f.at(name.Ref))
	}
}

// checkTarget refuses attributes of anything but namespaces.
func (r *run) checkTarget(target syntax.Node, f *frame) {
	switch target := target.(type) {
	case *syntax.NamespaceRef:
		if _, ok := (*f.at(target.Ref)).(*value.Namespace); !ok {
			value.Fail("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
		}
	case *syntax.Tuple:
		for _, item := range target.Items {
			r.checkTarget(item, f)
		}
	}
}

// assign assigns a value to names and attributes. In the filter of a loop, its names have other places.
func (r *run) assign(target syntax.Node, v value.Value, f *frame, inFilter bool) {
	r.meter.Step(1)
	switch target := target.(type) {
	case *syntax.Name:
		if inFilter {
			*f.at(target.FilterRef) = v
		} else {
			*f.at(target.Ref) = v
		}
	case *syntax.NamespaceRef:
		refuseHidden(target.Attr)
		r.meter.Items(2)
		switch object := (*f.at(target.Ref)).(type) {
		case *value.Namespace:
			object.Attributes.Store(r.meter, target.Attr, v)
		case *value.Dict: // it has taken the namespace's place in the same statement: {% set ns, ns.b = {}, 1 %}
			object.Store(r.meter, target.Attr, v)
		default:
			value.Fail("TypeError", "'%s' object does not support item assignment", value.TypeName(object))
		}
	case *syntax.Tuple:
		r.unpack(target.Items, v, f, inFilter)
	}
}

func (r *run) unpack(targets []syntax.Node, v value.Value, f *frame, inFilter bool) {
	it, ok := value.TryIterate(r.meter, v)
	if !ok {
		value.Fail("TypeError", "cannot unpack non-iterable %s object", value.TypeName(v))
	}
	values := make([]value.Value, 0, len(targets))
	for {
		item, ok := it.Next()
		if !ok {
			break
		}
		if len(values) == len(targets) {
			value.Fail("ValueError", "too many values to unpack (expected %d)", len(targets))
		}
		values = append(values, item)
	}
	if len(values) < len(targets) {
		value.Fail("ValueError", "not enough values to unpack (expected %d, got %d)", len(targets), len(values))
	}
	for i, target := range targets {
		r.assign(target, values[i], f, inFilter)
	}
}
