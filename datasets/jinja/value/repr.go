package value

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// Str returns a value as Python's str does: what {{ }} writes.
func Str(m *Meter, v Value) string {
	switch v := v.(type) {
	case string:
		return v
	case Markup:
		return string(v)
	case *Undefined:
		if v.Strict {
			v.Fail(m)
		}
		return ""
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return Repr(m, v)
}

// Repr returns a value as Python's repr does.
func Repr(m *Meter, v Value) string {
	w := &reprWriter{meter: m}
	w.write(v)
	return w.text.String()
}

// reprWriter charges what it writes before the text is complete.
type reprWriter struct {
	meter *Meter
	text  strings.Builder
}

func (w *reprWriter) put(text string) {
	if len(text) > 256 || w.text.Len()%256+len(text) > 256 {
		w.meter.Text(w.text.Len() + len(text))
		w.meter.bytes += int64(w.text.Len()) // only the new part counts
	}
	w.text.WriteString(text)
}

func (w *reprWriter) write(v Value) {
	w.meter.Step(1)
	switch v := v.(type) {
	case nil:
		w.put("None")
	case bool:
		if v {
			w.put("True")
		} else {
			w.put("False")
		}
	case int64:
		w.put(strconv.FormatInt(v, 10))
	case *big.Int:
		w.put(bigText(w.meter, v))
	case float64:
		w.put(FloatText(v))
	case string:
		w.put(quote(w.meter, v))
	case Markup:
		w.put("Markup(" + quote(w.meter, string(v)) + ")")
	case *Undefined:
		w.put("Undefined")
	case *Range:
		if v.Step == 1 {
			w.put(fmt.Sprintf("range(%d, %d)", v.Start, v.Stop))
		} else {
			w.put(fmt.Sprintf("range(%d, %d, %d)", v.Start, v.Stop, v.Step))
		}
	default:
		w.container(v)
	}
}

func (w *reprWriter) container(v Value) {
	w.meter.Descend()
	defer w.meter.Ascend()
	switch v := v.(type) {
	case *List:
		w.items("[", v.Items, "]")
	case *Tuple:
		if len(v.Items) == 1 {
			w.items("(", v.Items, ",)")
		} else {
			w.items("(", v.Items, ")")
		}
	case *Dict:
		w.put("{")
		for i := range v.Len() {
			key, val := v.At(i)
			if i > 0 {
				w.put(", ")
			}
			w.write(key)
			w.put(": ")
			w.write(val)
		}
		w.put("}")
	case *View:
		items := make([]Value, v.Dict.Len())
		for i := range items {
			items[i] = v.item(i)
		}
		w.items("dict_"+v.Kind+"([", items, "])")
	case *Namespace:
		w.put("<Namespace ")
		w.write(v.Attributes)
		w.put(">")
	default:
		w.object(v)
	}
}

func (w *reprWriter) items(before string, items []Value, after string) {
	w.put(before)
	for i, item := range items {
		if i > 0 {
			w.put(", ")
		}
		w.write(item)
	}
	w.put(after)
}

func (w *reprWriter) object(v Value) {
	if object, ok := v.(Object); ok {
		if text, ok := object.Describe(w.meter); ok {
			w.put(text)
			return
		}
	}
	Fail(Unsupported, "the text of a %s is an address in memory", TypeName(v))
}

func bigText(m *Meter, n *big.Int) string {
	if n.BitLen() > maxDigits*10/3 {
		if len(new(big.Int).Abs(n).String()) > maxDigits {
			failValue("Exceeds the limit (%d digits) for integer string conversion", maxDigits)
		}
	}
	m.Step(n.BitLen())
	return n.String()
}

// quote returns a text as Python's repr does.
func quote(m *Meter, text string) string {
	m.quoted(len(text))
	mark := '\''
	if strings.ContainsRune(text, '\'') && !strings.ContainsRune(text, '"') {
		mark = '"'
	}
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteRune(mark)
	for _, r := range text {
		switch {
		case r == mark || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(mark)
	return b.String()
}
