package value

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// JSONStyle are the arguments of Python's json.dumps.
type JSONStyle struct {
	ASCII      bool    // escape characters beyond ASCII
	Indent     *string // of one level; nil for one line
	Item, Pair string  // the separators, ", " and ": " by default
	SortKeys   bool
}

// JSON returns a value as json.dumps does.
func JSON(m *Meter, v Value, style JSONStyle) string {
	w := &jsonWriter{reprWriter: reprWriter{meter: m}, style: style}
	w.write(v)
	return w.text.String()
}

type jsonWriter struct {
	reprWriter
	style JSONStyle
	depth int
}

func (w *jsonWriter) write(v Value) {
	w.meter.Step(1)
	if text, ok := Text(v); ok {
		w.put(w.quote(text))
		return
	}
	if text, ok := jsonScalar(w.meter, v); ok {
		w.put(text)
		return
	}
	w.meter.Descend()
	defer w.meter.Ascend()
	switch v := v.(type) {
	case *List:
		w.list(v.Items)
	case *Tuple:
		w.list(v.Items)
	case *Dict:
		w.dict(v)
	default:
		refuseStrictType(v)
	}
}

func refuseStrictType(v Value) { failType("Object of type %s is not JSON serializable", TypeName(v)) }

// jsonScalar returns what is written for None, booleans and numbers.
func jsonScalar(m *Meter, v Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case *big.Int:
		return bigText(m, v), true
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", true
		case math.IsInf(v, 1):
			return "Infinity", true
		case math.IsInf(v, -1):
			return "-Infinity", true
		}
		return FloatText(v), true
	}
	return "", false
}

func (w *jsonWriter) list(items []Value) {
	if len(items) == 0 {
		w.put("[]")
		return
	}
	w.put("[")
	w.depth++
	for i, item := range items {
		w.separate(i)
		w.write(item)
	}
	w.depth--
	w.newline()
	w.put("]")
}

func (w *jsonWriter) dict(d *Dict) {
	if d.Len() == 0 {
		w.put("{}")
		return
	}
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	if w.style.SortKeys {
		slices.SortStableFunc(order, func(i, j int) int {
			a, _ := d.At(i)
			b, _ := d.At(j)
			switch {
			case Order(w.meter, "<", a, b):
				return -1
			case Order(w.meter, "<", b, a):
				return 1
			}
			return 0
		})
	}
	w.put("{")
	w.depth++
	for n, i := range order {
		key, v := d.At(i)
		w.separate(n)
		text, ok := Text(key)
		if !ok {
			if text, ok = jsonScalar(w.meter, key); !ok {
				failType("keys must be str, int, float, bool or None, not %s", TypeName(key))
			}
		}
		w.put(w.quote(text))
		w.put(w.style.Pair)
		w.write(v)
	}
	w.depth--
	w.newline()
	w.put("}")
}

func (w *jsonWriter) separate(i int) {
	if i > 0 {
		w.put(w.style.Item)
	}
	w.newline()
}

func (w *jsonWriter) newline() {
	if w.style.Indent != nil {
		w.put("\n")
		w.put(repeatText(w.meter, *w.style.Indent, w.depth))
	}
}

func (w *jsonWriter) quote(text string) string {
	w.meter.quoted(len(text))
	var b strings.Builder
	b.Grow(len(text) + 2)
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20 || w.style.ASCII && r >= 0x7f && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case w.style.ASCII && r >= utf8.RuneSelf:
			high, low := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
