package operator

import (
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// percentSpec is one conversion of a format, such as %-5.2f.
type percentSpec struct {
	left, plus, space, alternate, zero bool
	width, precision                   int64 // precision is -1 if there is none
	verb                               rune
}

// percentArgs are what a format takes its values from.
type percentArgs struct {
	meter   *value.Meter
	all     value.Value
	mapping bool          // all can be asked for keys
	items   []value.Value // those that are left
}

// Percent formats values as Python's operator % of texts does.
func Percent(m *value.Meter, format, args value.Value) value.Value {
	if _, ok := format.(value.Markup); ok {
		value.Fail(value.Unsupported, "formatting a safe text is not supported")
	}
	text := format.(string)
	from := &percentArgs{meter: m, all: args, items: []value.Value{args}}
	switch args := args.(type) {
	case *value.Tuple:
		from.items = args.Items
	case *value.Dict, *value.List, *value.Range, *value.Undefined:
		from.mapping = true
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "%")
		m.Text(len(before))
		b.WriteString(before)
		if !found {
			break
		}
		part, after := from.convert(rest)
		m.Text(len(part))
		m.Fits(b.Len() + len(part))
		b.WriteString(part)
		text = after
	}
	if len(from.items) > 0 && !from.mapping {
		value.Fail("TypeError", "not all arguments converted during string formatting")
	}
	return b.String()
}

// next takes the next value.
func (a *percentArgs) next() value.Value {
	if len(a.items) == 0 {
		value.Fail("TypeError", "not enough arguments for format string")
	}
	v := a.items[0]
	a.items = a.items[1:]
	return v
}

// convert makes the text of a conversion, whose % is before format, and returns what follows it.
func (a *percentArgs) convert(format string) (text, rest string) {
	if strings.HasPrefix(format, "(") {
		key, after, ok := cutKey(format)
		switch {
		case !a.mapping:
			value.Fail("TypeError", "format requires a mapping")
		case !ok:
			value.Fail("ValueError", "incomplete format key")
		}
		a.items = []value.Value{a.key(key)}
		format = after
	}
	var s percentSpec
	s, format = a.spec(format)
	if s.verb == '%' {
		return "%", format
	}
	return s.text(a.meter, a.next()), format
}

// cutKey returns the key of %(key)s; parentheses within it must be balanced.
func cutKey(format string) (key, after string, ok bool) {
	depth := 0
	for i, r := range format {
		switch r {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return format[1:i], format[i+1:], true
			}
		}
	}
	return "", "", false
}

func (a *percentArgs) key(key string) value.Value {
	d, ok := a.all.(*value.Dict)
	if !ok {
		value.RefuseUndefined(a.meter, a.all)
		value.Fail("TypeError", "%s indices must be integers or slices, not str", value.TypeName(a.all))
	}
	v, ok := d.Lookup(a.meter, key)
	if !ok {
		value.Fail("KeyError", "%s", value.Quote(a.meter, key))
	}
	return v
}

// spec reads flags, width, precision and verb.
func (a *percentArgs) spec(format string) (s percentSpec, rest string) {
	s.precision = -1
	for format != "" && strings.IndexByte("-+ #0", format[0]) >= 0 {
		switch format[0] {
		case '-':
			s.left = true
		case '+':
			s.plus = true
		case ' ':
			s.space = true
		case '#':
			s.alternate = true
		case '0':
			s.zero = true
		}
		format = format[1:]
	}
	s.width, format = a.size(format)
	if s.width < 0 {
		s.left, s.width = true, -s.width
	}
	if strings.HasPrefix(format, ".") {
		s.precision, format = a.size(format[1:])
		s.precision = max(s.precision, 0)
	}
	if format != "" && strings.IndexByte("hlL", format[0]) >= 0 {
		format = format[1:]
	}
	if format == "" {
		value.Fail("ValueError", "incomplete format")
	}
	verb, size := utf8.DecodeRuneInString(format)
	s.verb = verb
	return s, format[size:]
}

// size reads a width or precision: digits, or * for the next value.
func (a *percentArgs) size(format string) (n int64, rest string) {
	if strings.HasPrefix(format, "*") {
		v := a.next()
		n, ok := value.Small(v)
		if !ok || n > 1<<31 || n < -1<<31 {
			value.Fail("TypeError", "* wants int")
		}
		return n, format[1:]
	}
	for format != "" && format[0] >= '0' && format[0] <= '9' {
		if n = 10*n + int64(format[0]-'0'); n > 1<<31 {
			value.Fail("ValueError", "width too big")
		}
		format = format[1:]
	}
	return n, format
}

// text formats a value.
func (s percentSpec) text(m *value.Meter, v value.Value) string {
	switch s.verb {
	case 's', 'r', 'a', 'c':
		return s.pad(m, "", s.plain(m, v), false)
	case 'd', 'i', 'u', 'x', 'X', 'o':
		return s.integer(m, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		value.RefuseUndefined(m, v)
		if !value.IsNumber(v) {
			value.Fail("TypeError", "must be real number, not %s", value.TypeName(v))
		}
		precision := s.precision
		if precision < 0 {
			precision = 6
		}
		digits := floatDigits(m, value.Float(v), s.verb, precision, s.alternate)
		sign, digits := cutSign(digits)
		return s.pad(m, s.sign(sign), digits, true)
	}
	value.Fail("ValueError", "unsupported format character '%c'", s.verb)
	return ""
}

func (s percentSpec) plain(m *value.Meter, v value.Value) string {
	var text string
	switch s.verb {
	case 's':
		text = value.Str(m, v)
	case 'r':
		text = value.Repr(m, v)
	case 'a':
		text = ASCII(m, v)
	default:
		value.RefuseUndefined(m, v)
		if n, ok := value.Small(v); ok {
			if n < 0 || n > utf8.MaxRune || n >= 0xd800 && n < 0xe000 {
				value.Fail("OverflowError", "%%c arg not in range(0x110000)")
			}
			return string(rune(n))
		}
		if text, _ = value.Text(v); utf8.RuneCountInString(text) != 1 {
			value.Fail("TypeError", "%%c requires int or char")
		}
		return text
	}
	if s.precision >= 0 {
		text = value.SliceText(m, text, nil, s.precision, nil)
	}
	return text
}

func (s percentSpec) integer(m *value.Meter, v value.Value) string {
	value.RefuseUndefined(m, v)
	decimal := strings.ContainsRune("diu", s.verb)
	n, ok := value.Integer(v)
	if f, isFloat := v.(float64); isFloat && decimal {
		truncated, isFinite := value.Truncate(m, f)
		if !isFinite {
			value.Fail("ValueError", "cannot convert float NaN to integer")
		}
		n, ok = value.Integer(truncated)
	}
	if !ok {
		value.Fail("TypeError", "%%%c format: a number is required, not %s", s.verb, value.TypeName(v))
	}
	digits, prefix := value.IntText(m, new(big.Int).Abs(n)), ""
	switch s.verb {
	case 'x', 'X':
		digits, prefix = new(big.Int).Abs(n).Text(16), "0x"
	case 'o':
		digits, prefix = new(big.Int).Abs(n).Text(8), "0o"
	}
	digits = Spaces(m, "0", s.precision-int64(len(digits))) + digits
	if !s.alternate {
		prefix = ""
	}
	if s.verb == 'X' {
		digits, prefix = strings.ToUpper(digits), strings.ToUpper(prefix)
	}
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	return s.pad(m, s.sign(sign)+prefix, digits, true)
}

func (s percentSpec) sign(sign string) string {
	switch {
	case sign != "":
		return sign
	case s.plus:
		return "+"
	case s.space:
		return " "
	}
	return ""
}

func (s percentSpec) pad(m *value.Meter, sign, body string, isNumber bool) string {
	missing := s.width - int64(value.Chars(m, sign)) - int64(value.Chars(m, body))
	switch {
	case s.left:
		return sign + body + Spaces(m, " ", missing)
	case s.zero && isNumber:
		return sign + Spaces(m, "0", missing) + body
	}
	return Spaces(m, " ", missing) + sign + body
}
