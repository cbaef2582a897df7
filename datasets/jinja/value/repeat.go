package value

import (
	"math/big"
	"strings"
)

// repeat returns a text, list or tuple n times.
func repeat(m *Meter, v Value, n *big.Int) (Value, bool) {
	times := 0
	if n.Sign() > 0 {
		times = 1 << 40
		if n.IsInt64() {
			times = int(min(n.Int64(), int64(times)))
		}
	}
	switch v := v.(type) {
	case string:
		return repeatText(m, v, times), true
	case Markup:
		return Markup(repeatText(m, string(v), times)), true
	case *List:
		return &List{repeatItems(m, v.Items, times)}, true
	case *Tuple:
		return &Tuple{Items: repeatItems(m, v.Items, times)}, true
	}
	return nil, false
}

func repeatText(m *Meter, text string, times int) string {
	if text == "" || times == 0 {
		return ""
	}
	if times > m.maxText {
		m.Text(times)
	}
	m.Text(len(text) * times)
	return strings.Repeat(text, times)
}

func repeatItems(m *Meter, items []Value, times int) []Value {
	if len(items) == 0 || times == 0 {
		return nil
	}
	m.Items(times)
	out := make([]Value, 0, m.Items(len(items)*times))
	for range times {
		out = append(out, items...)
	}
	return out
}

// Spaces returns n times a character.
func Spaces(m *Meter, char string, n int64) string {
	if n <= 0 {
		return ""
	}
	return repeatText(m, char, int(min(n, 1<<40)))
}
