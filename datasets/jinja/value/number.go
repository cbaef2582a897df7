package value

import (
	"math"
	"math/big"
)

// IsNumber reports whether a value is a number; True and False are.
func IsNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// Small returns a whole number that fits int64; True is 1.
func Small(v Value) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// Integer returns a whole number; True is 1.
func Integer(v Value) (*big.Int, bool) {
	if n, ok := v.(*big.Int); ok {
		return n, true
	}
	n, ok := Small(v)
	return big.NewInt(n), ok
}

// Index returns a value that Python takes as a count or place; numbers beyond int64 fail.
func Index(m *Meter, v Value) int64 {
	if n, ok := Small(v); ok {
		return n
	}
	RefuseUndefined(m, v)
	if _, ok := v.(*big.Int); ok {
		Fail("OverflowError", "Python int too large to convert to C ssize_t")
	}
	failType("'%s' object cannot be interpreted as an integer", TypeName(v))
	return 0
}

// Whole returns a whole number as an int64 where it fits. Numbers of too many bits fail.
func Whole(n *big.Int) Value {
	if n.IsInt64() {
		return n.Int64()
	}
	if n.BitLen() > MaxBits {
		Fail(Limit, "a number has more than %d bits", MaxBits)
	}
	return n
}

// Float returns a number as a float.
func Float(v Value) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case *big.Int:
		f, _ := new(big.Float).SetInt(v).Float64()
		if math.IsInf(f, 0) {
			Fail("OverflowError", "int too large to convert to float")
		}
		return f
	}
	n, _ := Small(v)
	return float64(n)
}

// Negate returns -v or, if not negative, +v.
func Negate(m *Meter, v Value, negative bool) Value {
	RefuseUndefined(m, v)
	if f, ok := v.(float64); ok {
		if negative {
			return -f
		}
		return f
	}
	n, ok := Integer(v)
	if !ok {
		failType("bad operand type for unary operator: '%s'", TypeName(v))
	}
	if negative {
		return Whole(new(big.Int).Neg(n))
	}
	return Whole(n)
}
