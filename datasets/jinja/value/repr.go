package value

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
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
	w := &reprWriter{Writer{Meter: m}}
	w.write(v)
	return w.Text()
}

// Writer charges what it writes before the text is complete.
type Writer struct {
	Meter *Meter
	text  strings.Builder
}

// Put adds to the text.
func (w *Writer) Put(text string) {
	w.Meter.grow(len(text))
	w.Meter.Fits(w.text.Len() + len(text))
	w.text.WriteString(text)
}

// Text returns what was written.
func (w *Writer) Text() string { return w.text.String() }

// reprWriter writes values as Python's repr does.
type reprWriter struct{ Writer }

func (w *reprWriter) write(v Value) {
	w.Meter.Step(1)
	switch v := v.(type) {
	case nil:
		w.Put("None")
	case bool:
		if v {
			w.Put("True")
		} else {
			w.Put("False")
		}
	case int64:
		w.Put(strconv.FormatInt(v, 10))
	case *big.Int:
		w.Put(IntText(w.Meter, v))
	case float64:
		w.Put(FloatText(v))
	case string:
		w.Put(Quote(w.Meter, v))
	case Markup:
		w.Put("Markup(" + Quote(w.Meter, string(v)) + ")")
	case *Undefined:
		w.Put("Undefined")
	case *Range:
		if v.Step == 1 {
			w.Put(fmt.Sprintf("range(%d, %d)", v.Start, v.Stop))
		} else {
			w.Put(fmt.Sprintf("range(%d, %d, %d)", v.Start, v.Stop, v.Step))
		}
	default:
		w.container(v)
	}
}

func (w *reprWriter) container(v Value) {
	w.Meter.Descend()
	defer w.Meter.Ascend()
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
		w.Put("{")
		for i := range v.Len() {
			key, val := v.At(i)
			if i > 0 {
				w.Put(", ")
			}
			w.write(key)
			w.Put(": ")
			w.write(val)
		}
		w.Put("}")
	case *View:
		items := make([]Value, v.Dict.Len())
		for i := range items {
			items[i] = v.item(i)
		}
		w.items("dict_"+v.Kind+"([", items, "])")
	case *Namespace:
		w.Put("<Namespace ")
		w.write(v.Attributes)
		w.Put(">")
	default:
		w.object(v)
	}
}

func (w *reprWriter) items(before string, items []Value, after string) {
	w.Put(before)
	for i, item := range items {
		if i > 0 {
			w.Put(", ")
		}
		w.write(item)
	}
	w.Put(after)
}

func (w *reprWriter) object(v Value) {
	if object, ok := v.(Object); ok {
		if text, ok := object.Describe(w.Meter); ok {
			w.Put(text)
			return
		}
	}
	Fail(Unsupported, "the text of a %s is an address in memory", TypeName(v))
}

// IntText returns a whole number as Python prints it, which refuses very long ones.
func IntText(m *Meter, n *big.Int) string {
	if n.BitLen() > maxDigits*10/3 {
		if len(new(big.Int).Abs(n).String()) > maxDigits {
			failValue("Exceeds the limit (%d digits) for integer string conversion", maxDigits)
		}
	}
	m.Step(n.BitLen())
	return n.String()
}

// Escape returns a value as text that is safe in HTML.
func Escape(m *Meter, v Value) Markup {
	if safe, ok := v.(Markup); ok {
		return safe
	}
	text := Str(m, v)
	m.Text(5 * len(text))
	return Markup(strings.NewReplacer(
		"&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;").Replace(text))
}
