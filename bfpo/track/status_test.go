package track

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestStatusOfPlainOutput(t *testing.T) {
	var out bytes.Buffer
	s := NewStatus(&out, "bfpo")
	s.Begin("reading the data")
	fmt.Fprintln(s, "a notice")
	s.Begin("compiling")
	s.Close()
	s.Close()
	if want := "bfpo   reading the data\na notice\nbfpo   compiling\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// On a terminal a phase is one line, drawn again after each interval and below every notice, and gone at the end.
func TestStatusOnTerminal(t *testing.T) {
	var out bytes.Buffer
	s := newStatus(&out, "bfpo", true, time.Millisecond)
	s.Begin("compiling")
	fmt.Fprintln(s, "a notice")
	time.Sleep(20 * time.Millisecond)
	s.Close()
	const clear, line = "\r\x1b[K", "bfpo   compiling …"
	got := out.String()
	begin := clear + line + clear + "a notice\n" + clear + line
	if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, clear) || strings.Count(got, line) < 3 ||
		strings.Count(got, "\n") != 1 {
		t.Errorf("%q", got)
	}
}
