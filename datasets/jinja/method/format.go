package method

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/operator"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// formatter is one call of str.format. It follows Python's string.Formatter, which Jinja's sandbox uses.
type formatter struct {
	meter  *value.Meter
	args   value.Args
	follow func(of value.Value, name value.Value, isAttribute bool) value.Value
	auto   int  // the number of the next {}
	manual bool // a field has a number
}

func failFormat(message string) { value.Fail("ValueError", "%s", message) }

// format replaces the fields of a text; within format specifications it goes one level deeper.
func (f *formatter) format(text string, depth int) string {
	if depth < 0 {
		failFormat("Max string recursion exceeded")
	}
	var b strings.Builder
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			at = len(text)
		}
		b.WriteString(text[:at])
		text = text[at:]
		if text == "" {
			break
		}
		if len(text) > 1 && text[1] == text[0] {
			b.WriteByte(text[0])
			text = text[2:]
			continue
		}
		if text[0] == '}' {
			failFormat("Single '}' encountered in format string")
		}
		field, rest := cutField(text[1:])
		part := f.field(field, depth)
		f.meter.Text(len(part))
		b.WriteString(part)
		text = rest
	}
	f.meter.Text(b.Len())
	return b.String()
}

// cutField splits after the } that ends a field.
func cutField(text string) (field, rest string) {
	depth := 1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], text[i+1:]
			}
		}
	}
	failFormat("expected '}' before end of string")
	return "", ""
}

func (f *formatter) field(field string, depth int) string {
	name, conversion, spec := splitField(field)
	if name == "" {
		if f.manual {
			failFormat("cannot switch from manual field specification to automatic field numbering")
		}
		name = strconv.Itoa(f.auto)
		f.auto++
	} else if isNumber(name) {
		if f.auto > 0 {
			failFormat("cannot switch from manual field specification to automatic field numbering")
		}
		f.manual = true
	}
	v := f.lookup(name)
	switch conversion {
	case "":
	case "s":
		v = value.Str(f.meter, v)
	case "r":
		v = value.Repr(f.meter, v)
	case "a":
		v = operator.Percent(f.meter, "%a", &value.Tuple{Items: []value.Value{v}})
	default:
		failFormat("Unknown conversion specifier " + conversion)
	}
	return operator.Format(f.meter, v, f.format(spec, depth-1))
}

// splitField splits name!conversion:specification.
func splitField(field string) (name, conversion, spec string) {
	end := 0
	for inBrackets := false; end < len(field); end++ {
		c := field[end]
		if c == '{' && !inBrackets {
			failFormat("unexpected '{' in field name")
		}
		if !inBrackets && (c == '!' || c == ':') {
			break
		}
		inBrackets = c == '[' || inBrackets && c != ']'
	}
	name, field = field[:end], field[end:]
	if strings.HasPrefix(field, "!") {
		r, size := utf8.DecodeRuneInString(field[1:])
		conversion, field = string(r), field[min(1+size, len(field)):]
		if size == 0 || field != "" && field[0] != ':' {
			failFormat("expected ':' after conversion specifier")
		}
	}
	return name, conversion, strings.TrimPrefix(field, ":")
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// lookup follows a field name such as 0.name[key].
func (f *formatter) lookup(name string) value.Value {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.argument(name[:end])
	for rest := name[end:]; rest != ""; {
		f.meter.Step(1)
		part := ""
		isAttribute := rest[0] == '.'
		if isAttribute {
			rest = rest[1:]
			if end = strings.IndexAny(rest, ".["); end < 0 {
				end = len(rest)
			}
			part, rest = rest[:end], rest[end:]
		} else {
			var closed bool
			if part, rest, closed = strings.Cut(rest[1:], "]"); !closed {
				failFormat("Missing ']' in format string")
			}
			if rest != "" && rest[0] != '.' && rest[0] != '[' {
				failFormat("Only '.' or '[' may follow ']' in format field specifier")
			}
		}
		if part == "" {
			failFormat("Empty attribute in format string")
		}
		key := value.Value(part)
		if n, ok := value.ParseInt(part, 10); ok && isNumber(part) && !isAttribute {
			key = n
		}
		v = f.follow(v, key, isAttribute)
	}
	return v
}

func (f *formatter) argument(name string) value.Value {
	if isNumber(name) {
		n, err := strconv.Atoi(name)
		if err != nil || n >= len(f.args.Positional) {
			value.Fail("IndexError", "Replacement index %s out of range for positional args tuple", name)
		}
		return f.args.Positional[n]
	}
	v, ok := f.args.Named.Get(name)
	if !ok {
		value.Fail("KeyError", "'%s'", name)
	}
	return v
}
