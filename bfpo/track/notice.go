package track

import (
	"context"
	"io"
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// NewLogger returns a logger for people: it prints each message as one line, without time or level. Attributes follow
// the message as key=value.
func NewLogger(w io.Writer) *slog.Logger { return slog.New(noticeHandler{w: w}) }

// noticeHandler is the slog.Handler of NewLogger. It prints a message in one Write.
type noticeHandler struct {
	w          io.Writer
	group      string // prefix of keys
	attributes string // of WithAttrs, as text
}

// Enabled leaves out debugging messages.
func (h noticeHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo
}

// Handle prints one message.
func (h noticeHandler) Handle(_ context.Context, r slog.Record) error {
	line := r.Message + h.attributes
	r.Attrs(func(a slog.Attr) bool {
		line += h.text(a)
		return true
	})
	_, err := io.WriteString(h.w, usage.Clean(line)+"\n") // the line may have text from files and servers
	return err
}

// WithAttrs returns a handler that adds attributes to each message.
func (h noticeHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	for _, a := range attributes {
		h.attributes += h.text(a)
	}
	return h
}

// WithGroup returns a handler whose attributes have the prefix "name.".
func (h noticeHandler) WithGroup(name string) slog.Handler {
	h.group += name + "."
	return h
}

func (h noticeHandler) text(a slog.Attr) string {
	return " " + h.group + a.Key + "=" + a.Value.String()
}
