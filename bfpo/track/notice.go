package track

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// NewLogger returns a logger for people: it prints each message as one line, without time or level. Attributes follow
// the message as key=value.
func NewLogger(w io.Writer) *slog.Logger { return slog.New(&noticeHandler{out: &lockedWriter{w: w}}) }

// noticeHandler is the slog.Handler of NewLogger.
type noticeHandler struct {
	out        *lockedWriter // shared with the handlers that WithAttrs and WithGroup return
	group      string        // prefix of keys
	attributes string        // of WithAttrs, as text
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// Enabled leaves out debugging messages.
func (h *noticeHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle prints one message.
func (h *noticeHandler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message + h.attributes
	r.Attrs(func(a slog.Attr) bool {
		line += h.text(a)
		return true
	})
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	_, err := io.WriteString(h.out.w, line+"\n")
	return err
}

// WithAttrs returns a handler that adds attributes to each message.
func (h *noticeHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *h
	for _, a := range attributes {
		with.attributes += h.text(a)
	}
	return &with
}

// WithGroup returns a handler whose attributes have the prefix "name.".
func (h *noticeHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.group += name + "."
	return &with
}

func (h *noticeHandler) text(a slog.Attr) string {
	return " " + h.group + a.Key + "=" + a.Value.String()
}
