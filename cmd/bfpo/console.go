package main

import (
	"context"
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"

	"github.com/bfpo-go/bfpo/bfpo/track"
)

const chatPrompt = "> "

// console reads lines from a terminal, with arrow keys, editing and a history of earlier lines.
type console struct {
	in     *os.File
	editor *term.Terminal
}

// newConsole returns the console of a command whose input and output are a terminal; ok is false otherwise.
func newConsole(std stdio) (c *console, ok bool) {
	in, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) || !track.IsTerminal(std.out) {
		return nil, false
	}
	return &console{in: in, editor: term.NewTerminal(readWriter{in, std.out}, chatPrompt)}, true
}

// readWriter joins the two streams of a terminal.
type readWriter struct {
	io.Reader
	io.Writer
}

// width returns the terminal's number of columns.
func (c *console) width() int {
	if width, _, err := term.GetSize(int(c.in.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// readLine prompts for a line and lets the user edit it. It returns io.EOF after Ctrl-C or Ctrl-D. Only while it waits
// are the keys given to the editor: at other times Ctrl-C is a signal. When ctx ends, the goroutine that reads is left
// in its read; the program ends soon after.
func (c *console) readLine(ctx context.Context) (string, error) {
	state, err := term.MakeRaw(int(c.in.Fd()))
	if err != nil {
		return "", err
	}
	if width, height, err := term.GetSize(int(c.in.Fd())); err == nil && width > 0 {
		if err := c.editor.SetSize(width, height); err != nil {
			return "", errors.Join(err, term.Restore(int(c.in.Fd()), state))
		}
	}
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := c.editor.ReadLine()
		if errors.Is(err, term.ErrPasteIndicator) { // the line was pasted
			err = nil
		}
		read <- result{line, err}
	}()
	var r result
	select {
	case r = <-read:
	case <-ctx.Done():
		r.err = ctx.Err()
	}
	return r.line, errors.Join(r.err, term.Restore(int(c.in.Fd()), state))
}

// terminal is a standard stream on a terminal. What is written after the terminal was closed is lost without an error,
// so that a run which gets SIGHUP then can save its state.
type terminal struct{ file *os.File }

// newTerminal returns the file itself, unless it is a terminal.
func newTerminal(file *os.File) io.Writer {
	if !term.IsTerminal(int(file.Fd())) {
		return file
	}
	return terminal{file}
}

// Fd returns the file descriptor, from which track.IsTerminal knows a terminal.
func (t terminal) Fd() uintptr { return t.file.Fd() }

// Write writes to the terminal.
func (t terminal) Write(p []byte) (int, error) {
	n, err := t.file.Write(p)
	if errors.Is(err, syscall.EIO) {
		return len(p), nil
	}
	return n, err
}
