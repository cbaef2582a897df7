package value

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// FloatText returns a float as Python prints it.
func FloatText(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	_, exponent, _ := strings.Cut(text, "e")
	if n, _ := strconv.Atoi(exponent); n < -4 || n >= 16 {
		return text
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// plainDigits returns the text of a number as Go parses it: without white space around it, with ASCII digits, and
// without the underscores that may stand between two digits.
func plainDigits(text string, isDigit func(rune) bool) (string, bool) {
	var b strings.Builder
	runes := []rune(strings.TrimFunc(text, IsSpace))
	for i, r := range runes {
		if r == '_' {
			if i == 0 || i == len(runes)-1 || !isDigit(runes[i-1]) || !isDigit(runes[i+1]) {
				return "", false
			}
			continue
		}
		b.WriteRune(asciiDigit(r))
	}
	return b.String(), len(runes) > 0
}

// asciiDigit returns the ASCII digit of a decimal digit of another script. Their ranges are runs of ten.
func asciiDigit(r rune) rune {
	if r < 0x80 || !unicode.IsDigit(r) {
		return r
	}
	zero := r
	for n := 0; n < 9 && unicode.IsDigit(zero-1); n++ {
		zero--
	}
	return '0' + (r - zero)
}

// ParseFloat reads a text as Python's float does.
func ParseFloat(text string) (float64, bool) {
	plain, ok := plainDigits(text, unicode.IsDigit)
	if !ok {
		return 0, false
	}
	switch strings.ToLower(strings.TrimLeft(plain, "+-")) {
	case "inf", "infinity", "nan":
		if strings.HasPrefix(plain, "+-") || strings.HasPrefix(plain, "-+") ||
			strings.HasPrefix(plain, "++") || strings.HasPrefix(plain, "--") {
			return 0, false
		}
		if strings.HasSuffix(strings.ToLower(plain), "nan") {
			return math.NaN(), true
		}
	default:
		if strings.Trim(plain, "0123456789.eE+-") != "" {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(plain, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// maxDigits is how many digits Python converts between texts and whole numbers.
const maxDigits = 4300

// ParseInt reads a text as Python's int does, in a base from 2 to 36, or 0 for the base that its prefix says.
func ParseInt(text string, base int) (Value, bool) {
	alphanumeric := func(r rune) bool { return unicode.IsDigit(r) || r < 0x80 && unicode.IsLetter(r) }
	plain, ok := plainDigits(text, alphanumeric)
	if !ok || len(plain) > maxDigits {
		return nil, false
	}
	digits, sign := plain, ""
	if strings.HasPrefix(plain, "-") || strings.HasPrefix(plain, "+") {
		sign, digits = plain[:1], plain[1:]
	}
	prefixes := map[string]int{"0b": 2, "0o": 8, "0x": 16}
	if len(digits) > 2 {
		if of, ok := prefixes[strings.ToLower(digits[:2])]; ok && (base == 0 || base == of) {
			digits, base = digits[2:], of
		}
	}
	if base == 0 {
		if base = 10; strings.HasPrefix(digits, "0") && strings.Trim(digits, "0") != "" {
			return nil, false
		}
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' {
		return nil, false
	}
	n, ok := new(big.Int).SetString(sign+digits, base)
	if !ok {
		return nil, false
	}
	return Whole(n), true
}

// ToFloat converts a number or text as Python's float does; false stands for TypeError or ValueError.
func ToFloat(m *Meter, v Value) (float64, bool) {
	RefuseUndefined(m, v)
	if text, ok := Text(v); ok {
		m.Read(64 * len(text))
		return ParseFloat(text)
	}
	if !IsNumber(v) {
		return 0, false
	}
	return Float(v), true
}

// Truncate converts a number as Python's int does; false stands for TypeError or ValueError.
func Truncate(m *Meter, v Value) (Value, bool) {
	RefuseUndefined(m, v)
	f, ok := v.(float64)
	if !ok {
		n, ok := Integer(v)
		if !ok {
			return nil, false
		}
		return Whole(n), true
	}
	if math.IsNaN(f) {
		return nil, false
	}
	if math.IsInf(f, 0) {
		Fail("OverflowError", "cannot convert float infinity to integer")
	}
	n, _ := big.NewFloat(f).Int(nil)
	return Whole(n), true
}

// Round returns a number rounded to some digits after the point, half to even.
func Round(m *Meter, v Value, digits int64) Value {
	RefuseUndefined(m, v)
	if f, ok := v.(float64); ok {
		switch {
		case math.IsNaN(f) || math.IsInf(f, 0) || digits > 400:
			return f
		case digits < -400:
			return math.Copysign(0, f)
		case digits >= 0:
			g, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(digits), 64), 64)
			return g
		}
		rounded := roundTens(new(big.Rat).SetFloat64(f), -digits)
		g, _ := new(big.Float).SetInt(rounded).Float64()
		if math.IsInf(g, 0) {
			Fail("OverflowError", "rounded value too large to represent")
		}
		if g == 0 {
			g = math.Copysign(0, f)
		}
		return g
	}
	n, ok := Integer(v)
	if !ok {
		failType("type %s doesn't define __round__ method", TypeName(v))
	}
	if digits >= 0 {
		return Whole(n)
	}
	if digits < -maxDigits {
		return int64(0)
	}
	return Whole(roundTens(new(big.Rat).SetInt(n), -digits))
}

// roundTens rounds a number to a multiple of a power of ten.
func roundTens(r *big.Rat, zeros int64) *big.Int {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(zeros), nil)
	r.Quo(r, new(big.Rat).SetInt(unit))
	doubled := new(big.Int).Mul(r.Num(), big.NewInt(2))
	quotient := new(big.Int).Div(doubled.Add(doubled, r.Denom()), new(big.Int).Mul(r.Denom(), big.NewInt(2)))
	half := new(big.Rat).Sub(new(big.Rat).SetInt(quotient), r)
	if half.Cmp(big.NewRat(1, 2)) == 0 && quotient.Bit(0) == 1 { // a tie went up to an odd number
		quotient.Sub(quotient, big.NewInt(1))
	}
	return quotient.Mul(quotient, unit)
}
