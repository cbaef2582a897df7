package operator

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// JSONStyle are the arguments of Python's json.dumps.
type JSONStyle struct {
	ASCII      bool    // escape characters beyond ASCII
	Indent     *string // of one level; nil for one line
	Item, Pair string  // the separators, ", " and ": " by default
	SortKeys   bool
}

// JSON returns a value as json.dumps does.
func JSON(m *value.Meter, v value.Value, style JSONStyle) string {
	w := &jsonWriter{Writer: value.Writer{Meter: m}, style: style}
	w.write(v)
	return w.Text()
}

type jsonWriter struct {
	value.Writer
	style JSONStyle
	depth int
}

func (w *jsonWriter) write(v value.Value) {
	w.Meter.Step(1)
	if text, ok := value.Text(v); ok {
		w.Put(w.quote(text))
		return
	}
	if text, ok := jsonScalar(w.Meter, v); ok {
		w.Put(text)
		return
	}
	w.Meter.Descend()
	defer w.Meter.Ascend()
	switch v := v.(type) {
	case *value.List:
		w.list(v.Items)
	case *value.Tuple:
		w.list(v.Items)
	case *value.Dict:
		w.dict(v)
	default:
		refuseStrictType(v)
	}
}

func refuseStrictType(v value.Value) {
	value.Fail("TypeError", "Object of type %s is not JSON serializable", value.TypeName(v))
}

// jsonScalar returns what is written for None, booleans and numbers.
func jsonScalar(m *value.Meter, v value.Value) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "null", true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case *big.Int:
		return value.IntText(m, v), true
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", true
		case math.IsInf(v, 1):
			return "Infinity", true
		case math.IsInf(v, -1):
			return "-Infinity", true
		}
		return value.FloatText(v), true
	}
	return "", false
}

func (w *jsonWriter) list(items []value.Value) {
	if len(items) == 0 {
		w.Put("[]")
		return
	}
	w.Put("[")
	w.depth++
	for i, item := range items {
		w.separate(i)
		w.write(item)
	}
	w.depth--
	w.newline()
	w.Put("]")
}

func (w *jsonWriter) dict(d *value.Dict) {
	if d.Len() == 0 {
		w.Put("{}")
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
			case value.Order(w.Meter, "<", a, b):
				return -1
			case value.Order(w.Meter, "<", b, a):
				return 1
			}
			return 0
		})
	}
	w.Put("{")
	w.depth++
	for n, i := range order {
		key, v := d.At(i)
		w.separate(n)
		text, ok := value.Text(key)
		if !ok {
			if text, ok = jsonScalar(w.Meter, key); !ok {
				value.Fail("TypeError", "keys must be str, int, float, bool or None, not %s", value.TypeName(key))
			}
		}
		w.Put(w.quote(text))
		w.Put(w.style.Pair)
		w.write(v)
	}
	w.depth--
	w.newline()
	w.Put("}")
}

func (w *jsonWriter) separate(i int) {
	if i > 0 {
		w.Put(w.style.Item)
	}
	w.newline()
}

func (w *jsonWriter) newline() {
	if w.style.Indent != nil {
		w.Put("\n")
		w.Put(repeatText(w.Meter, *w.style.Indent, w.depth))
	}
}

func (w *jsonWriter) quote(text string) string {
	w.Meter.Quoted(len(text))
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
