package track

import (
	"strings"
	"testing"
	"time"

	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

func wrap(width int, pieces ...string) string {
	var out strings.Builder
	w := NewWrapper(&out, width)
	for _, p := range pieces {
		w.Write([]byte(p))
	}
	w.Flush()
	return out.String()
}

func TestWrapper(t *testing.T) {
	for _, c := range []struct {
		width      int
		text, want string
	}{
		{10, "one two three four", "one two\nthree four"},
		{10, "exactly te", "exactly te"},
		{10, "exactly ten", "exactly\nten"},
		{10, "a\n\nb  c\n", "a\n\nb  c\n"},
		{10, "  indented line here", "  indented\nline here"},
		{6, "abcdefghij kl m", "abcdefghij\nkl m"},
		{6, "你好世界你好", "你好世\n界你好"},
		{12, "grün grüße über", "grün grüße\nüber"},
		{5, "", ""},
	} {
		if got := wrap(c.width, c.text); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.text, c.width, got, c.want)
		}
		if got := wrap(c.width, strings.SplitAfter(c.text, "")...); got != c.want {
			t.Errorf("%q by characters: %q, want %q", c.text, got, c.want)
		}
		var bytes []string
		for i := range len(c.text) {
			bytes = append(bytes, c.text[i:i+1])
		}
		if got := wrap(c.width, bytes...); got != c.want {
			t.Errorf("%q by bytes: %q, want %q", c.text, got, c.want)
		}
	}
}

// Whatever the text and the pieces, only blanks and line breaks change.
func FuzzWrapper(f *testing.F) {
	f.Add("one two three", 8, 3)
	f.Add("a\x00\xff\n\n\t 你好", 1, 1)
	f.Fuzz(func(t *testing.T, text string, width, piece int) {
		fuzztest.Bounded(t, len(text), 10*time.Second, func() {
			if len(text) > 1<<12 || width < 1 || piece < 1 {
				return
			}
			var pieces []string
			for rest := text; rest != ""; rest = rest[min(piece, len(rest)):] {
				pieces = append(pieces, rest[:min(piece, len(rest))])
			}
			got := wrap(width, pieces...)
			if strings.Join(strings.Fields(got), "") != strings.Join(strings.Fields(text), "") {
				t.Errorf("%q became %q", text, got)
			}
		})
	})
}
