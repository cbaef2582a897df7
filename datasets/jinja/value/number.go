package value

import (
	"math"
	"math/big"
	"math/bits"
)

func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// asSmall returns a whole number that fits int64; True is 1.
func asSmall(v Value) (int64, bool) {
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

// asInteger returns a whole number; True is 1.
func asInteger(v Value) (*big.Int, bool) {
	if n, ok := v.(*big.Int); ok {
		return n, true
	}
	n, ok := asSmall(v)
	return big.NewInt(n), ok
}

// Index returns a value that Python takes as a count or place; numbers beyond int64 fail.
func Index(m *Meter, v Value) int64 {
	if n, ok := asSmall(v); ok {
		return n
	}
	refuseUndefined(m, v)
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
	if n.BitLen() > maxBits {
		Fail(Limit, "a number has more than %d bits", maxBits)
	}
	return n
}

// asFloat returns a number as a float.
func asFloat(v Value) float64 {
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
	n, _ := asSmall(v)
	return float64(n)
}

// Arithmetic computes a op b for numbers, texts, lists and tuples, where op is + - * / // % or **.
func Arithmetic(m *Meter, op string, a, b Value) Value {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if n, ok := small(op, x, y); ok {
				return n
			}
		}
	}
	if isNumber(a) && isNumber(b) {
		_, xIsFloat := a.(float64)
		_, yIsFloat := b.(float64)
		if xIsFloat || yIsFloat || op == "/" {
			return floats(op, a, b)
		}
		return integers(m, op, a, b)
	}
	if _, ok := Text(a); ok && op == "%" {
		return Percent(m, a, b)
	}
	refuseUndefined(m, a, b)
	if v, ok := sequenceArithmetic(m, op, a, b); ok {
		return v
	}
	failType("unsupported operand type(s) for %s: '%s' and '%s'", op, TypeName(a), TypeName(b))
	return nil
}

// small computes with numbers that stay within int64.
func small(op string, x, y int64) (Value, bool) {
	switch op {
	case "+":
		sum := x + y
		return sum, (sum > x) == (y > 0)
	case "-":
		difference := x - y
		return difference, (difference < x) == (y > 0)
	case "*":
		if x > -1<<31 && x < 1<<31 && y > -1<<31 && y < 1<<31 {
			return x * y, true
		}
	case "//":
		if y > 0 {
			q := x / y
			if x%y < 0 {
				q--
			}
			return q, true
		}
	case "%":
		if y > 0 {
			r := x % y
			if r < 0 {
				r += y
			}
			return r, true
		}
	}
	return nil, false
}

func integers(m *Meter, op string, a, b Value) Value {
	x, _ := asInteger(a)
	y, _ := asInteger(b)
	words := (x.BitLen() + y.BitLen()) / bits.UintSize
	m.Step(1 + words*words/64)
	switch op {
	case "+":
		return Whole(new(big.Int).Add(x, y))
	case "-":
		return Whole(new(big.Int).Sub(x, y))
	case "*":
		return Whole(new(big.Int).Mul(x, y))
	case "**":
		return power(m, x, y)
	}
	if y.Sign() == 0 {
		Fail("ZeroDivisionError", "integer division or modulo by zero")
	}
	quotient, rest := new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign()*y.Sign() < 0 { // Python rounds down
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, y)
	}
	if op == "//" {
		return Whole(quotient)
	}
	return Whole(rest)
}

func power(m *Meter, x, y *big.Int) Value {
	if y.Sign() < 0 {
		return floats("**", Whole(x), Whole(y))
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits/int64(x.BitLen()-1)) {
		Fail(Limit, "a number has more than %d bits", maxBits)
	}
	if x.BitLen() <= 1 { // 0, 1 and -1 stay small
		y = new(big.Int).And(y, big.NewInt(3)).Add(new(big.Int).And(y, big.NewInt(1)), big.NewInt(2*int64(min(y.Sign(), 1))))
		if y.Sign() == 0 {
			return int64(1)
		}
	}
	m.Step(1 << 10)
	return Whole(new(big.Int).Exp(x, y, nil))
}

func floats(op string, a, b Value) Value {
	x, y := asFloat(a), asFloat(b)
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		return floatPower(x, y)
	}
	if y == 0 {
		Fail("ZeroDivisionError", "division by zero")
	}
	if op == "/" {
		return divide(a, b, x, y)
	}
	rest := math.Mod(x, y)
	quotient := (x - rest) / y
	if rest != 0 && (rest < 0) != (y < 0) {
		rest += y
		quotient--
	} else if rest == 0 {
		rest = math.Copysign(0, y)
	}
	if op == "%" {
		return rest
	}
	whole := math.Floor(quotient)
	if quotient-whole > 0.5 {
		whole++
	}
	if quotient == 0 {
		whole = math.Copysign(0, x/y)
	}
	return whole
}

// divide is the true division, which Python rounds once even for large whole numbers.
func divide(a, b Value, x, y float64) Value {
	n, nIsInt := asInteger(a)
	d, dIsInt := asInteger(b)
	if !nIsInt || !dIsInt {
		return x / y
	}
	f, _ := new(big.Rat).SetFrac(n, d).Float64()
	return f
}

func floatPower(x, y float64) Value {
	switch {
	case x == 0 && y < 0:
		Fail("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	case x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
		Fail(Unsupported, "complex numbers are not supported")
	}
	z := math.Pow(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		Fail("OverflowError", "(34, 'Numerical result out of range')")
	}
	return z
}

// sequenceArithmetic joins and repeats texts, lists and tuples.
func sequenceArithmetic(m *Meter, op string, a, b Value) (Value, bool) {
	if op == "+" {
		return join(m, a, b)
	}
	if op != "*" {
		return nil, false
	}
	if n, ok := asInteger(a); ok {
		return repeat(m, b, n)
	}
	if n, ok := asInteger(b); ok {
		return repeat(m, a, n)
	}
	return nil, false
}

func join(m *Meter, a, b Value) (Value, bool) {
	x, xIsText := Text(a)
	y, yIsText := Text(b)
	if xIsText && yIsText {
		_, xIsSafe := a.(Markup)
		_, yIsSafe := b.(Markup)
		if xIsSafe || yIsSafe {
			x, y = string(Escape(m, a)), string(Escape(m, b))
		}
		m.Text(len(x) + len(y))
		if xIsSafe || yIsSafe {
			return Markup(x + y), true
		}
		return x + y, true
	}
	xs, ys, ok := sequences(a, b)
	if !ok {
		return nil, false
	}
	items := append(append(make([]Value, 0, m.Items(len(xs)+len(ys))), xs...), ys...)
	if _, ok := a.(*Tuple); ok {
		return &Tuple{Items: items}, true
	}
	return &List{items}, true
}

// Negate returns -v or, if not negative, +v.
func Negate(m *Meter, v Value, negative bool) Value {
	refuseUndefined(m, v)
	if f, ok := v.(float64); ok {
		if negative {
			return -f
		}
		return f
	}
	n, ok := asInteger(v)
	if !ok {
		failType("bad operand type for unary operator: '%s'", TypeName(v))
	}
	if negative {
		return Whole(new(big.Int).Neg(n))
	}
	return Whole(n)
}
