package train

import (
	"errors"
	"testing"
)

// Work goes on beside its caller, and its error is told once: when it is asked for after the end, or waited for.
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
			t.Errorf("%s: told again: %v", name, err)
		}
	}
}
