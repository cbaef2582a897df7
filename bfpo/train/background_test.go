package train

import (
	"errors"
	"testing"
)

// Work runs beside its caller, and its error is returned once: by failed after the end, or by wait.
func TestBackground(t *testing.T) {
	var b background
	if err := errors.Join(b.failed(), b.wait()); err != nil {
		t.Fatalf("idle: %v", err)
	}
	full := errors.New("disk full")
	for name, ask := range map[string]func() error{"wait": b.wait, "failed": func() (err error) {
		for b.done != nil && err == nil {
			err = b.failed()
		}
		return err
	}} {
		release := make(chan struct{})
		b.begin(func() error {
			<-release
			return full
		})
		if err := b.failed(); err != nil {
			t.Errorf("%s: %v before the end", name, err)
		}
		close(release)
		if err := ask(); err != full {
			t.Errorf("%s: got %v, want %v", name, err, full)
		}
		if err := errors.Join(b.failed(), b.wait()); err != nil {
			t.Errorf("%s: the error was returned again: %v", name, err)
		}
	}
}
