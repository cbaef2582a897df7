package value

import (
	"math"
	"math/big"
	"strings"
)

// Equal reports whether a == b.
func Equal(m *Meter, a, b Value) bool {
	m.Step(1)
	refuseStrict(m, a, b)
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		return equalText(m, a, b)
	case Markup:
		return equalText(m, string(a), b)
	case bool, int64, *big.Int, float64:
		return IsNumber(b) && compareNumbers(a, b) == 0
	case *List:
		other, ok := b.(*List)
		return ok && equalItems(m, a.Items, other.Items)
	case *Tuple:
		other, ok := b.(*Tuple)
		return ok && equalItems(m, a.Items, other.Items)
	case *Dict:
		other, ok := b.(*Dict)
		return ok && equalDicts(m, a, other)
	case *Range:
		other, ok := b.(*Range)
		return ok && a.Len() == other.Len() &&
			(a.Len() == 0 || a.Start == other.Start && (a.Len() == 1 || a.Step == other.Step))
	case *View:
		return equalViews(m, a, b)
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok
	}
	return a == b
}

func refuseStrict(m *Meter, values ...Value) {
	for _, v := range values {
		if u, ok := v.(*Undefined); ok && u.Strict {
			u.Fail(m)
		}
	}
}

func equalText(m *Meter, a string, b Value) bool {
	other, ok := Text(b)
	if !ok || len(a) != len(other) {
		return false
	}
	m.Read(len(a))
	return a == other
}

// same reports whether two values are one object or equal, as Python compares the items of lists.
func same(m *Meter, a, b Value) bool { return isIdentical(a, b) || Equal(m, a, b) }

func isIdentical(a, b Value) bool {
	switch a.(type) {
	case *List, *Tuple, *Dict, *Undefined, *Namespace, *Generator, *Function:
		return a == b
	}
	return false
}

func equalItems(m *Meter, a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	m.Descend()
	defer m.Ascend()
	for i := range a {
		if !same(m, a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalDicts(m *Meter, a, b *Dict) bool {
	if a.Len() != b.Len() {
		return false
	}
	m.Descend()
	defer m.Ascend()
	for key, v := range a.All() {
		other, ok := b.Lookup(m, key)
		if !ok || !same(m, v, other) {
			return false
		}
	}
	return true
}

func equalViews(m *Meter, a *View, b Value) bool {
	other, ok := b.(*View)
	if !ok || a.Kind == "values" || other.Kind == "values" {
		return a == b
	}
	if a.Dict.Len() != other.Dict.Len() {
		return false
	}
	for i := range a.Dict.Len() {
		if !Contains(m, other, a.item(i)) {
			return false
		}
	}
	return true
}

// Contains reports whether item is in v.
func Contains(m *Meter, v, item Value) bool {
	switch v := v.(type) {
	case string, Markup:
		text, _ := Text(v)
		part, ok := Text(item)
		if !ok {
			failType("'in <string>' requires string as left operand, not %s", TypeName(item))
		}
		return Find(m, text, part) >= 0
	case *Dict:
		_, ok := v.Lookup(m, item)
		return ok
	case *View:
		if v.Kind == "keys" {
			_, ok := v.Dict.Lookup(m, item)
			return ok
		}
		if v.Kind == "items" {
			pair, ok := item.(*Tuple)
			if !ok || len(pair.Items) != 2 {
				return false
			}
			have, ok := v.Dict.Lookup(m, pair.Items[0])
			return ok && same(m, have, pair.Items[1])
		}
	}
	it, ok := TryIterate(m, v)
	if !ok {
		failType("argument of type '%s' is not iterable", TypeName(v))
	}
	for {
		m.Step(1)
		have, ok := it.Next()
		if !ok {
			return false
		}
		if same(m, have, item) {
			return true
		}
	}
}

// Order reports whether a op b holds; op is <, <=, > or >=.
func Order(m *Meter, op string, a, b Value) bool {
	m.Step(1)
	RefuseUndefined(m, a, b)
	holds := func(order int) bool {
		switch op {
		case "<":
			return order < 0
		case "<=":
			return order <= 0
		case ">":
			return order > 0
		}
		return order >= 0
	}
	if IsNumber(a) && IsNumber(b) {
		order := compareNumbers(a, b)
		return order != unordered && holds(order)
	}
	x, okX := Text(a)
	y, okY := Text(b)
	if okX && okY {
		m.Read(min(len(x), len(y)))
		return holds(strings.Compare(x, y))
	}
	xs, ys, ok := Sequences(a, b)
	if !ok {
		failType("'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
	}
	m.Descend()
	defer m.Ascend()
	for i := range min(len(xs), len(ys)) {
		if !same(m, xs[i], ys[i]) {
			return Order(m, op, xs[i], ys[i])
		}
	}
	return holds(len(xs) - len(ys))
}

// Sequences returns the items of two lists or two tuples.
func Sequences(a, b Value) (xs, ys []Value, ok bool) {
	switch a := a.(type) {
	case *List:
		if b, ok := b.(*List); ok {
			return a.Items, b.Items, true
		}
	case *Tuple:
		if b, ok := b.(*Tuple); ok {
			return a.Items, b.Items, true
		}
	}
	return nil, nil, false
}

// unordered is the order of a number and NaN.
const unordered = 2

// compareNumbers orders two numbers by their exact values.
func compareNumbers(a, b Value) int {
	x, xIsInt := Small(a)
	y, yIsInt := Small(b)
	if xIsInt && yIsInt {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	f, fIsFloat := a.(float64)
	g, gIsFloat := b.(float64)
	switch {
	case fIsFloat && math.IsNaN(f) || gIsFloat && math.IsNaN(g):
		return unordered
	case fIsFloat && gIsFloat:
		return big.NewFloat(f).Cmp(big.NewFloat(g))
	case fIsFloat && math.IsInf(f, 0):
		return int(math.Copysign(1, f))
	case gIsFloat && math.IsInf(g, 0):
		return -int(math.Copysign(1, g))
	}
	return asRational(a).Cmp(asRational(b))
}

func asRational(v Value) *big.Rat {
	if f, ok := v.(float64); ok {
		return new(big.Rat).SetFloat64(f)
	}
	n, _ := Integer(v)
	return new(big.Rat).SetInt(n)
}

// Truth reports whether a value counts as true.
func Truth(m *Meter, v Value) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case Markup:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *big.Int:
		return true // it is beyond int64
	}
	n, ok := TryLen(m, v)
	return !ok || n > 0
}
