package usage

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\nof two lines, é☃": "plain\ttext\nof two lines, é☃", "\x1b]0;title\a": `\x1b]0;title\a`,
		"a\rb\x00\x7f": `a\rb\x00\x7f`, "\u009b2J": `\u009b2J`, "\u202eevil": `\u202eevil`, "bad \xff": `bad \xff`,
		"\ufffd": "\ufffd", "\u2028": `\u2028`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	long := Clean("begin" + strings.Repeat("x", 2<<20) + "end")
	if len(long) > maxMessage+100 || !strings.HasPrefix(long, "beginx") || !strings.HasSuffix(long, "xend") {
		t.Errorf("%d bytes", len(long))
	}
}

func TestWord(t *testing.T) {
	for name, want := range map[string]string{
		"a/b c": "a/b c", "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, `a"b`: `"a\"b"`,
	} {
		if got := Word(name); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
	if got := Word(strings.Repeat("é", 500)); len(got) > 250 || !strings.HasSuffix(got, `"… (1000 bytes)`) {
		t.Error(got)
	}
}

func TestArgument(t *testing.T) {
	for text, want := range map[string]string{
		"runs/mine-2": "runs/mine-2", "my run": "'my run'", "it's": `'it'\''s'`, "": "''", "$HOME;ls": "'$HOME;ls'",
	} {
		if got := Argument(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}
