package main

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/term"
)

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
