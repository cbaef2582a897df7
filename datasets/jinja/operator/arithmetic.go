package operator

import (
	"math"
	"math/big"
	"math/bits"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Arithmetic computes a op b for numbers, texts, lists and tuples, where op is + - * / // % or **.
func Arithmetic(m *value.Meter, op string, a, b value.Value) value.Value {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if n, ok := small(op, x, y); ok {
				return n
			}
		}
	}
	if value.IsNumber(a) && value.IsNumber(b) {
		_, xIsFloat := a.(float64)
		_, yIsFloat := b.(float64)
		if xIsFloat || yIsFloat || op == "/" {
			return floats(op, a, b)
		}
		return integers(m, op, a, b)
	}
	if _, ok := value.Text(a); ok && op == "%" {
		return Percent(m, a, b)
	}
	value.RefuseUndefined(m, a, b)
	if v, ok := sequenceArithmetic(m, op, a, b); ok {
		return v
	}
	value.Fail("TypeError", "unsupported operand type(s) for %s: '%s' and '%s'", op, value.TypeName(a), value.TypeName(b))
	return nil
}

// small computes with numbers that stay within int64.
func small(op string, x, y int64) (value.Value, bool) {
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

func integers(m *value.Meter, op string, a, b value.Value) value.Value {
	x, _ := value.Integer(a)
	y, _ := value.Integer(b)
	words := (x.BitLen() + y.BitLen()) / bits.UintSize
	m.Step(1 + words*words/64)
	switch op {
	case "+":
		return value.Whole(new(big.Int).Add(x, y))
	case "-":
		return value.Whole(new(big.Int).Sub(x, y))
	case "*":
		return value.Whole(new(big.Int).Mul(x, y))
	case "**":
		return power(m, x, y)
	}
	if y.Sign() == 0 {
		value.Fail("ZeroDivisionError", "integer division or modulo by zero")
	}
	quotient, rest := new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign()*y.Sign() < 0 { // Python rounds down
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, y)
	}
	if op == "//" {
		return value.Whole(quotient)
	}
	return value.Whole(rest)
}

func power(m *value.Meter, x, y *big.Int) value.Value {
	if y.Sign() < 0 {
		return floats("**", value.Whole(x), value.Whole(y))
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > value.MaxBits/int64(x.BitLen()-1)) {
		value.Fail(value.Limit, "a number has more than %d bits", value.MaxBits)
	}
	if x.BitLen() <= 1 { // -1, 0 and 1 stay what they are, but for the sign
		n := int64(1)
		if y.Sign() > 0 && (x.Sign() == 0 || y.Bit(0) == 1) {
			n = x.Int64()
		}
		return n
	}
	m.Step(1 << 10)
	return value.Whole(new(big.Int).Exp(x, y, nil))
}

func floats(op string, a, b value.Value) value.Value {
	x, y := value.Float(a), value.Float(b)
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
		value.Fail("ZeroDivisionError", "division by zero")
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
func divide(a, b value.Value, x, y float64) value.Value {
	n, nIsInt := value.Integer(a)
	d, dIsInt := value.Integer(b)
	if !nIsInt || !dIsInt {
		return x / y
	}
	f, _ := new(big.Rat).SetFrac(n, d).Float64()
	return f
}

func floatPower(x, y float64) value.Value {
	switch {
	case x == 0 && y < 0:
		value.Fail("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	case x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0):
		value.Fail(value.Unsupported, "complex numbers are not supported")
	}
	z := math.Pow(x, y)
	if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		value.Fail("OverflowError", "(34, 'Numerical result out of range')")
	}
	return z
}

// sequenceArithmetic joins and repeats texts, lists and tuples.
func sequenceArithmetic(m *value.Meter, op string, a, b value.Value) (value.Value, bool) {
	if op == "+" {
		return join(m, a, b)
	}
	if op != "*" {
		return nil, false
	}
	if n, ok := value.Integer(a); ok {
		return repeat(m, b, n)
	}
	if n, ok := value.Integer(b); ok {
		return repeat(m, a, n)
	}
	return nil, false
}

func join(m *value.Meter, a, b value.Value) (value.Value, bool) {
	x, xIsText := value.Text(a)
	y, yIsText := value.Text(b)
	if xIsText && yIsText {
		_, xIsSafe := a.(value.Markup)
		_, yIsSafe := b.(value.Markup)
		if xIsSafe || yIsSafe {
			x, y = string(value.Escape(m, a)), string(value.Escape(m, b))
		}
		m.Text(len(x) + len(y))
		if xIsSafe || yIsSafe {
			return value.Markup(x + y), true
		}
		return x + y, true
	}
	xs, ys, ok := value.Sequences(a, b)
	if !ok {
		return nil, false
	}
	items := append(append(make([]value.Value, 0, m.Items(len(xs)+len(ys))), xs...), ys...)
	if _, ok := a.(*value.Tuple); ok {
		return &value.Tuple{Items: items}, true
	}
	return &value.List{Items: items}, true
}
