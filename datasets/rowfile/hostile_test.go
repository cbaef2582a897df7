package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// TestHostileRows reads small files whose rows decode to as many values as the bounds allow.
func TestHostileRows(t *testing.T) {
	nest := func(n int, before, inner, after string) string {
		return strings.Repeat(before, n) + inner + strings.Repeat(after, n)
	}
	fill := func(unit string) string { return strings.Repeat(unit+",", (minRow-100)/(len(unit)+1)) + unit }
	var columns strings.Builder
	for i := 0; columns.Len() < minRow-100; i++ {
		fmt.Fprintf(&columns, `0,"%x":`, i)
	}
	for name, value := range map[string]string{
		"columns":        columns.String() + "0",
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

// TestHostileContainers reads small files that ask for the largest windows and dictionaries that are accepted. The
// dictionary of an .xz file may take 64 MiB beside all else, since xz -9 asks for that much whatever the file's size.
func TestHostileContainers(t *testing.T) {
	lines := strings.Repeat(`{"text": "one"}`+"\n", 10_000)
	var zst, xzFile bytes.Buffer
	w := must(zstd.NewWriter(&zst, zstd.WithWindowSize(minWindow)))
	for range 3 { // a frame whose size is known would have a small window
		must(io.WriteString(w, lines))
		must(0, w.Flush())
	}
	must(0, w.Close())
	x := must(xz.WriterConfig{DictCap: maxXZMemory}.NewWriter(&xzFile))
	must(io.WriteString(x, lines))
	must(0, x.Close())
	for ext, test := range map[string]struct {
		file  string
		extra int // counts as size
	}{".zst": {zst.String(), 0}, ".xz": {xzFile.String(), maxXZMemory / 2}} {
		fuzztest.BoundedLive(t, len(test.file)+test.extra, 10*time.Second, func() {
			rows := must(readAll(t, "a.jsonl"+ext, test.file, Columns{"text": true}))
			if len(rows)%10_000 != 0 || len(rows) == 0 {
				t.Errorf("%s: %d rows", ext, len(rows))
			}
		})
	}
}
