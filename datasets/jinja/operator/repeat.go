package operator

import (
	"math/big"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// repeat returns a text, list or tuple n times.
func repeat(m *value.Meter, v value.Value, n *big.Int) (value.Value, bool) {
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
	case value.Markup:
		return value.Markup(repeatText(m, string(v), times)), true
	case *value.List:
		return &value.List{Items: repeatItems(m, v.Items, times)}, true
	case *value.Tuple:
		return &value.Tuple{Items: repeatItems(m, v.Items, times)}, true
	}
	return nil, false
}

func repeatText(m *value.Meter, text string, times int) string {
	if text == "" || times == 0 {
		return ""
	}
	m.Fits(times)
	m.Text(len(text) * times)
	return strings.Repeat(text, times)
}

func repeatItems(m *value.Meter, items []value.Value, times int) []value.Value {
	if len(items) == 0 || times == 0 {
		return nil
	}
	m.Items(times)
	out := make([]value.Value, 0, m.Items(len(items)*times))
	for range times {
		out = append(out, items...)
	}
	return out
}

// Spaces returns n times a character.
func Spaces(m *value.Meter, char string, n int64) string {
	if n <= 0 {
		return ""
	}
	return repeatText(m, char, int(min(n, 1<<40)))
}
