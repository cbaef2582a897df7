package fault

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestCall(t *testing.T) {
	if err := Call(func() error { return io.EOF }); err != io.EOF {
		t.Error(err)
	}
	err := Call(func() error { panic(io.ErrUnexpectedEOF) })
	wrong, ok := errors.AsType[*Error](err)
	if !ok || !errors.Is(err, io.ErrUnexpectedEOF) || err.Error() != "internal error: unexpected EOF" ||
		!strings.Contains(string(wrong.Stack), "TestCall") {
		t.Error(err)
	}
}
