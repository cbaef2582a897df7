package value

// Iterator gives values one after the other; false means that there are no more.
type Iterator interface{ Next() (Value, bool) }

type itemIterator struct{ items []Value }

func (i *itemIterator) Next() (Value, bool) {
	if len(i.items) == 0 {
		return nil, false
	}
	v := i.items[0]
	i.items = i.items[1:]
	return v, true
}

type charIterator struct{ text string }

func (i *charIterator) Next() (Value, bool) {
	if i.text == "" {
		return nil, false
	}
	_, size := decode(i.text)
	char := i.text[:size]
	i.text = i.text[size:]
	return char, true
}

type rangeIterator struct {
	of *Range
	at int64
}

func (i *rangeIterator) Next() (Value, bool) {
	if i.at >= i.of.Len() {
		return nil, false
	}
	i.at++
	return i.of.At(i.at - 1), true
}

type viewIterator struct {
	of *View
	at int
}

func (i *viewIterator) Next() (Value, bool) {
	if i.at >= i.of.Dict.Len() {
		return nil, false
	}
	i.at++
	return i.of.item(i.at - 1), true
}

func (v *View) item(i int) Value {
	key, val := v.Dict.At(i)
	switch v.Kind {
	case "keys":
		return key
	case "values":
		return val
	}
	return &Tuple{Items: []Value{key, val}}
}

// TryIterate returns the items of a value one by one, and false for a value without items.
func TryIterate(m *Meter, v Value) (Iterator, bool) {
	switch v := v.(type) {
	case *List:
		return &itemIterator{v.Items}, true
	case *Tuple:
		return &itemIterator{v.Items}, true
	case string:
		return &charIterator{v}, true
	case Markup:
		return &charIterator{string(v)}, true
	case *Dict:
		return &viewIterator{of: &View{v, "keys"}}, true
	case *View:
		return &viewIterator{of: v}, true
	case *Range:
		return &rangeIterator{of: v}, true
	case *Generator:
		return v, true
	case *Undefined:
		if v.Strict {
			v.Fail(m)
		}
		return &itemIterator{}, true
	case Iterator:
		return v, true
	}
	return nil, false
}

// Iterate returns the items of a value one by one, and fails for a value without items.
func Iterate(m *Meter, v Value) Iterator {
	it, ok := TryIterate(m, v)
	if !ok {
		failType("'%s' object is not iterable", TypeName(v))
	}
	return it
}

// Collect returns the items of a value as a new slice.
func Collect(m *Meter, v Value) []Value {
	var items []Value
	if n, ok := TryLen(m, v); ok {
		items = make([]Value, 0, m.Items(int(n)))
	}
	for it := Iterate(m, v); ; {
		item, ok := it.Next()
		if !ok {
			return items
		}
		m.Step(1)
		if len(items) == cap(items) {
			m.Items(len(items) + 1) // the slice is about to grow by as much
		}
		items = append(items, item)
	}
}

// Backward returns the items of a sequence from the last to the first, and false for a value that has no last item.
func Backward(m *Meter, v Value) (*Generator, bool) {
	if r, ok := v.(*Range); ok {
		i := r.Len()
		return &Generator{func() (Value, bool) { i--; return r.At(i), i >= 0 }}, true
	}
	if u, ok := v.(*Undefined); ok && u.Strict {
		u.Fail(m)
	}
	switch v.(type) {
	case *List, *Tuple, string, Markup, *Dict, *View, *Undefined:
		items := Collect(m, v)
		i := len(items)
		return &Generator{func() (Value, bool) {
			if i--; i < 0 {
				return nil, false
			}
			return items[i], true
		}}, true
	}
	return nil, false
}

// Sized is an Object with a length.
type Sized interface{ Length(m *Meter) int64 }

// TryLen returns the number of items of a value, and false for a value without a length.
func TryLen(m *Meter, v Value) (int64, bool) {
	switch v := v.(type) {
	case string:
		return int64(Chars(m, v)), true
	case Markup:
		return int64(Chars(m, string(v))), true
	case *List:
		return int64(len(v.Items)), true
	case *Tuple:
		return int64(len(v.Items)), true
	case *Dict:
		return int64(v.Len()), true
	case *View:
		return int64(v.Dict.Len()), true
	case *Range:
		return v.Len(), true
	case *Undefined:
		if v.Strict {
			v.Fail(m)
		}
		return 0, true
	case Sized:
		return v.Length(m), true
	}
	return 0, false
}

// Len returns the number of items of a value, and fails for a value without a length.
func Len(m *Meter, v Value) int64 {
	n, ok := TryLen(m, v)
	if !ok {
		failType("object of type '%s' has no len()", TypeName(v))
	}
	return n
}
