package method

import "github.com/bfpo-go/bfpo/datasets/jinja/value"

// method is a method of a type T: its parameters and what it does. Only some take their arguments by name too.
type method[T any] struct {
	params []value.Param
	named  bool
	body   func(m *value.Meter, self T, args []value.Value) value.Value
}

// bind returns the method of a receiver as a function.
func (f method[T]) bind(name string, self T) *value.Function {
	return &value.Function{Name: name, Body: func(m *value.Meter, args value.Args) value.Value {
		m.Step(1)
		if !f.named {
			args.RefuseNamed(name)
		}
		return f.body(m, self, args.Bind(name, f.params))
	}}
}

// receiver is the text that a method belongs to.
type receiver struct {
	text string
	self value.Value // a string or Markup
}

// like returns a result, which is marked as safe if the receiver is.
func (r receiver) like(text string) value.Value { return value.Like(r.self, text) }

type textMethod = method[receiver]

// textOf returns an argument that must be a text.
func textOf(m *value.Meter, v value.Value) string {
	text, ok := value.Text(v)
	if !ok {
		value.Fail("TypeError", "expected str instance, %s found", value.TypeName(v))
	}
	return text
}
