//go:build cgo && linux

package pjrt

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
)

// Errors and other lines stay, and XLA's lines of information and warnings go.
func TestLineFilter(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved, err := syscall.Dup(2)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Dup3(int(write.Fd()), 2, 0); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("failure")
	var filter lineFilter
	got := filter.run(func() error {
		nested := filter.run(func() error { return nil }) // another program is compiled at the same time
		_, err := syscall.Write(stderr, []byte("WARNING: All log messages before absl::InitializeLog() is called are "+
			"written to STDERR\n"+
			"I0000 00:00:1796026646.316993   13908 cudart_stub.cc:31] Could not find cuda drivers\n"+
			"E0000 00:00:1796026646.316993   13908 x.cc:1] an error\n"+
			"W1130 08:20:51.123456   13908 x.cc:2] a warning\nanother line\n"))
		return errors.Join(failure, nested, err)
	})
	if err := errors.Join(syscall.Dup3(saved, 2, 0), syscall.Close(saved), write.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(read)
	want := "E0000 00:00:1796026646.316993   13908 x.cc:1] an error\nanother line\n"
	if err != nil || string(text) != want || !errors.Is(got, failure) {
		t.Errorf("%q, %v, %v; want %q", text, err, got, want)
	}
}

func TestHidesLogLines(t *testing.T) {
	for level, want := range map[string]bool{"": true, "0": false, "1": false, "2": true, "3": true} {
		if t.Setenv("TF_CPP_MIN_LOG_LEVEL", level); hidesLogLines() != want {
			t.Errorf("level %q: %v, want %v", level, !want, want)
		}
	}
}
