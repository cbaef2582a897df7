package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Types of what Key returns for values that no other Key may equal.
type (
	noneKey      struct{}
	undefinedKey struct{}
	compoundKey  string // of tuples and numbers beyond int64
)

// Key returns what stands for a value in a Go map: values that are equal in Python have equal keys. It fails for lists
// and dicts, which Python cannot hash either. Its time and memory are charged to the meter, which is nil for values
// that no template made.
func Key(m *Meter, v Value) any {
	switch v := v.(type) {
	case string:
		return textKey(m, v)
	case nil:
		return noneKey{}
	case Markup:
		return textKey(m, string(v))
	case bool:
		if v {
			return int64(1)
		}
		return int64(0)
	case int64:
		return v
	case *big.Int:
		return bigKey(m, v)
	case float64:
		return floatKey(m, v)
	case *Tuple:
		var b strings.Builder
		writeTupleKey(m, &b, v, 0)
		return compoundKey(b.String())
	case *Undefined:
		if v.Strict {
			Fail("UndefinedError", "%q is undefined", v.Name)
		}
		return undefinedKey{}
	case *List, *Dict:
		failType("unhashable type: '%s'", TypeName(v))
	case *View:
		if v.Kind != "values" {
			failType("unhashable type: '%s'", TypeName(v))
		}
	}
	return v // other objects are equal to themselves alone
}

// textKey charges the reading of a text, for it is hashed or compared.
func textKey(m *Meter, text string) any {
	if m != nil {
		m.Read(len(text))
	}
	return text
}

func bigKey(m *Meter, n *big.Int) any {
	if m != nil {
		m.Step(n.BitLen() / 8) // its decimal digits
	}
	return compoundKey("i" + n.String())
}

func floatKey(m *Meter, f float64) any {
	switch {
	case f != math.Trunc(f) || math.IsInf(f, 0):
		return f // a NaN equals nothing, and so finds nothing
	case f >= -1<<63 && f < 1<<63:
		return int64(f)
	}
	n, _ := big.NewFloat(f).Int(nil)
	return bigKey(m, n)
}

// writeTupleKey writes the number of items and then each item in such a way that its end is known.
func writeTupleKey(m *Meter, b *strings.Builder, t *Tuple, depth int) {
	if depth > maxNesting {
		Fail(Limit, "tuples nest deeper than %d", maxNesting)
	}
	b.WriteString("t" + strconv.Itoa(len(t.Items)) + ":")
	for _, item := range t.Items {
		if inner, ok := item.(*Tuple); ok {
			chargeKey(m, itemBytes)
			writeTupleKey(m, b, inner, depth+1)
			continue
		}
		part := ""
		switch k := Key(m, item).(type) {
		case string:
			chargeKey(m, 2*len(k)) // it is copied, and then again as the builder grows
			part = "s" + strconv.Itoa(len(k)) + ":" + k
		case int64:
			part = "i" + strconv.FormatInt(k, 10) + ";"
		case float64:
			part = "f" + strconv.FormatFloat(k, 'x', -1, 64) + ";"
		case noneKey:
			part = "n"
		case undefinedKey:
			part = "u"
		case compoundKey:
			part = string(k) + ";"
		default:
			Fail(Unsupported, "a %s within a tuple cannot be a key", TypeName(item))
		}
		chargeKey(m, len(part)+itemBytes)
		b.WriteString(part)
	}
}

// chargeKey charges n bytes of a key, which may be about to be made.
func chargeKey(m *Meter, n int) {
	if m != nil {
		m.grow(n)
	}
}
