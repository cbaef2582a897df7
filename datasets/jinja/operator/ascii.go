package operator

import (
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// ASCII returns a value as Python's ascii does: its repr with escapes for all characters beyond ASCII.
func ASCII(m *value.Meter, v value.Value) string {
	text := value.Repr(m, v)
	m.Quoted(len(text))
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
