package operator

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// formatSpec is a format specification as in "{:>10,.2f}".
type formatSpec struct {
	fill, align, sign, grouping string
	alternate                   bool
	width, precision            int64 // precision is -1 if there is none
	verb                        string
}

// parseSpec reads a format specification.
func parseSpec(spec string) formatSpec {
	s := formatSpec{fill: " ", precision: -1}
	take := func(chars string) string {
		if spec == "" || !strings.Contains(chars, spec[:1]) {
			return ""
		}
		c := spec[:1]
		spec = spec[1:]
		return c
	}
	if first, size := utf8.DecodeRuneInString(spec); size < len(spec) && strings.Contains("<>=^", spec[size:size+1]) {
		s.fill, spec = string(first), spec[size:]
	}
	s.align = take("<>=^")
	s.sign = take("+- ")
	if take("z") != "" {
		value.Fail(value.Unsupported, "the option z of formats is not supported")
	}
	s.alternate = take("#") != ""
	if take("0") != "" && s.align == "" {
		s.fill, s.align = "0", "="
	}
	number := func() int64 {
		digits := len(spec) - len(strings.TrimLeft(spec, "0123456789"))
		n, err := strconv.ParseInt(spec[:digits], 10, 32)
		if err != nil {
			value.Fail("ValueError", "Too many decimal digits in format string")
		}
		spec = spec[digits:]
		return n
	}
	if spec != "" && spec[0] >= '0' && spec[0] <= '9' {
		s.width = number()
	}
	s.grouping = take(",_")
	if take(".") != "" {
		if spec == "" || spec[0] < '0' || spec[0] > '9' {
			value.Fail("ValueError", "Format specifier missing precision")
		}
		s.precision = number()
	}
	if utf8.RuneCountInString(spec) > 1 {
		value.Fail("ValueError", "Invalid format specifier")
	}
	s.verb = spec
	return s
}

// Format returns a value as Python's format does.
func Format(m *value.Meter, v value.Value, spec string) string {
	if spec == "" {
		return value.Str(m, v)
	}
	m.Read(64 * len(spec))
	text, isText := value.Text(v)
	switch {
	case isText:
		return parseSpec(spec).text(m, text)
	case !value.IsNumber(v):
		value.Fail("TypeError", "unsupported format string passed to %s.__format__", value.TypeName(v))
	}
	s := parseSpec(spec)
	f, isFloat := v.(float64)
	switch {
	case strings.Contains("eEfFgG%", s.verb) && s.verb != "":
		return s.float(m, value.Float(v))
	case isFloat:
		return s.float(m, f)
	}
	n, _ := value.Integer(v)
	return s.integer(m, n)
}

func (s formatSpec) text(m *value.Meter, text string) string {
	switch {
	case s.verb != "" && s.verb != "s":
		value.Fail("ValueError", "Unknown format code '%s' for object of type 'str'", s.verb)
	case s.sign != "" || s.alternate || s.grouping != "" || s.align == "=" && s.fill != "0":
		value.Fail("ValueError", "Sign, = or grouping not allowed in string format specifier")
	case s.align == "=":
		s.align = "<" // Python 3.10 and later take 0 before the width as a fill
	}
	if s.precision >= 0 {
		text = value.SliceText(m, text, nil, s.precision, nil)
	}
	return s.pad(m, "", text, "<")
}

func (s formatSpec) integer(m *value.Meter, n *big.Int) string {
	if s.precision >= 0 {
		value.Fail("ValueError", "Precision not allowed in integer format specifier")
	}
	base, prefix, group := 10, "", 3
	switch s.verb {
	case "", "d":
	case "b":
		base, prefix, group = 2, "0b", 4
	case "o":
		base, prefix, group = 8, "0o", 4
	case "x", "X":
		base, prefix, group = 16, "0"+s.verb, 4
	case "c":
		return s.char(m, n)
	default:
		value.Fail("ValueError", "Unknown format code '%s' for object of type 'int'", s.verb)
	}
	if s.grouping == "," && base != 10 {
		value.Fail("ValueError", "Cannot specify ',' with '%s'.", s.verb)
	}
	absolute := new(big.Int).Abs(n)
	digits := ""
	if base == 10 {
		digits = value.IntText(m, absolute)
	} else {
		digits = absolute.Text(base)
	}
	if s.verb == "X" {
		digits = strings.ToUpper(digits)
	}
	if !s.alternate {
		prefix = ""
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	sign = s.signOf(sign) + prefix
	return s.pad(m, sign, s.group(m, digits, group, len(sign)), ">")
}

func (s formatSpec) char(m *value.Meter, n *big.Int) string {
	if !n.IsInt64() || n.Sign() < 0 || n.Int64() > utf8.MaxRune || s.sign != "" {
		value.Fail("OverflowError", "%%c arg not in range(0x110000)")
	}
	return s.pad(m, "", string(rune(n.Int64())), "<")
}

func (s formatSpec) float(m *value.Meter, f float64) string {
	verb, precision := s.verb, s.precision
	digits := ""
	switch {
	case verb == "" && precision < 0:
		digits = value.FloatText(f)
	case verb == "":
		if digits = floatDigits(m, f, 'g', precision, s.alternate); !strings.ContainsAny(digits, ".en") {
			value.Fail(value.Unsupported, "a format with a precision and no type is not supported for whole floats")
		}
	case strings.Contains("eEfFgG%", verb):
		if precision < 0 {
			precision = 6
		}
		if verb == "%" {
			digits = floatDigits(m, f*100, 'f', precision, s.alternate) + "%"
		} else {
			digits = floatDigits(m, f, rune(verb[0]), precision, s.alternate)
		}
	default:
		value.Fail("ValueError", "Unknown format code '%s' for object of type 'float'", verb)
	}
	sign, digits := cutSign(digits)
	sign = s.signOf(sign)
	return s.pad(m, sign, s.group(m, digits, 3, len(sign)), ">")
}

func (s formatSpec) signOf(sign string) string {
	if sign == "" && s.sign != "-" {
		return s.sign
	}
	return sign
}

// group puts the separator between groups of digits. Zeros that fill the width are grouped too.
func (s formatSpec) group(m *value.Meter, digits string, size, before int) string {
	if s.grouping == "" {
		return digits
	}
	whole := len(digits) - len(strings.TrimLeft(digits, "0123456789abcdefABCDEF"))
	if size == 3 {
		whole = len(digits) - len(strings.TrimLeft(digits, "0123456789"))
	}
	head, rest := digits[:whole], digits[whole:]
	if s.fill == "0" && s.align == "=" {
		for m.Text(int(s.width)); len(head)+(len(head)-1)/size < int(s.width)-before-len(rest); {
			head = "0" + head
		}
	}
	var parts []string
	for len(head) > size {
		parts = append([]string{head[len(head)-size:]}, parts...)
		head = head[:len(head)-size]
		m.Step(len(parts))
	}
	return strings.Join(append([]string{head}, parts...), s.grouping) + rest
}

func (s formatSpec) pad(m *value.Meter, sign, body, align string) string {
	if s.align != "" {
		align = s.align
	}
	missing := s.width - int64(value.Chars(m, sign)) - int64(value.Chars(m, body))
	switch align {
	case "<":
		return sign + body + Spaces(m, s.fill, missing)
	case "=":
		return sign + Spaces(m, s.fill, missing) + body
	case "^":
		return Spaces(m, s.fill, missing/2) + sign + body + Spaces(m, s.fill, missing-missing/2)
	}
	return Spaces(m, s.fill, missing) + sign + body
}

func cutSign(digits string) (sign, rest string) {
	if strings.HasPrefix(digits, "-") {
		return "-", digits[1:]
	}
	return "", digits
}

// floatDigits writes a float as C's printf does with e, f or g.
func floatDigits(m *value.Meter, f float64, verb rune, precision int64, alternate bool) string {
	if alternate {
		value.Fail(value.Unsupported, "the flag # is not supported for floats")
	}
	m.Text(int(precision) + 400)
	text := ""
	switch {
	case math.IsNaN(f):
		text = "nan"
	case math.IsInf(f, 0):
		text = strings.TrimPrefix(fmt.Sprint(f), "+")
	default:
		if verb == 'g' || verb == 'G' {
			precision = max(precision, 1)
		}
		text = strconv.FormatFloat(f, byte(verb|0x20), int(precision), 64)
	}
	if verb < 'a' {
		return strings.ToUpper(text)
	}
	return strings.ToLower(text)
}
