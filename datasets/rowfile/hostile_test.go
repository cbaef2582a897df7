package rowfile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// TestHostileRows reads small files whose rows decode to as many values as the bounds allow.
func TestHostileRows(t *testing.T) {
	nest := func(n int, before, inner, after string) string {
		return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
	}
	fill := func(unit string) string { return strings.Repeat(unit+",", (minRow-100)/(len(unit)+1)) + unit }
	for name, value := range map[string]string{
		"numbers":        "[" + fill("0") + "]",
		"ids":            "[" + strings.Repeat("1000,", maxRowValues-100) + "1]",
		"escapes":        "[" + fill(`"\n"`) + "]",
		"empty objects":  "[" + fill("{}") + "]",
		"objects":        "[" + fill(`{"":0}`) + "]",
		"names":          `{"a":{` + fill(`"":0`) + "}}",
		"arrays":         "[" + fill("[0]") + "]",
		"tools":          "[" + fill(`{"tool_calls":0}`) + "]",
		"tools in tools": nest(9000, `{"tool_calls":`, "["+strings.Repeat("0,", 500000)+"0]", "}"),
		"nested":         nest(9000, "[", "0", "]"),
		"text":           `"` + strings.Repeat(`x`, minRow-100) + `"`,
		"escaped text":   `"` + strings.Repeat(`\n`, minRow/2-100) + `"`,
	} {
		file := compressed(".gz", `[{"text":`+value+"}]")
		t.Run(name, func(t *testing.T) {
			var err error
			fuzztest.BoundedLive(t, len(file), 20*time.Second, func() {
				err = Read(open(t, "a.json.gz", file), "a.json.gz", Columns{"text": true},
					func(int, map[string]any, error) error { return nil })
			})
			if err != nil && !errors.Is(err, errTooManyValues) && !strings.Contains(err.Error(), "decodes to more than") {
				t.Error(err)
			}
		})
	}
}
