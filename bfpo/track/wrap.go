package track

import (
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Wrapper breaks lines between words at a width, while text arrives in pieces. A word is written when it is complete.
type Wrapper struct {
	out    io.Writer
	width  int
	column int
	blanks string // before the word, written only if the word stays on the line
	word   []byte
	errs   []error
}

// NewWrapper returns a Wrapper for lines of width columns that begins at the left edge. Call Flush at the end.
func NewWrapper(out io.Writer, width int) *Wrapper { return &Wrapper{out: out, width: width} }

// Write takes a piece of text. It may end within a word, and within a character.
func (w *Wrapper) Write(text []byte) (int, error) {
	w.word = append(w.word, text...)
	rest := w.word
	w.word = nil
	for len(rest) > 0 && utf8.FullRune(rest) {
		r, size := utf8.DecodeRune(rest)
		character := string(rest[:size])
		rest = rest[size:]
		switch {
		case r == '\n':
			w.flushWord()
			w.print("\n")
			w.blanks, w.column = "", 0
		case unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f':
			w.flushWord()
			w.blanks += strings.ReplaceAll(character, "\t", "    ")
		case uniseg.StringWidth(character) > 1: // Chinese and Japanese have no blanks: a line may end at any character
			w.flushWord()
			w.word = append(w.word, character...)
			w.flushWord()
		default:
			w.word = append(w.word, character...)
		}
	}
	w.word = append(w.word, rest...)
	return len(text), w.err()
}

// Flush writes what is left.
func (w *Wrapper) Flush() error {
	w.flushWord()
	return w.err()
}

// flushWord writes the word, on a new line if the present one has no room for it.
func (w *Wrapper) flushWord() {
	if len(w.word) == 0 {
		return
	}
	word, size := string(w.word), uniseg.StringWidth(string(w.word))
	w.word = nil
	if w.column > 0 && w.column+len(w.blanks)+size > w.width {
		w.print("\n")
		w.blanks, w.column = "", 0
	}
	w.print(w.blanks + word)
	w.column += len(w.blanks) + size
	if w.column > w.width { // the terminal itself broke a word that is longer than a line
		w.column %= w.width
	}
	w.blanks = ""
}

func (w *Wrapper) print(text string) {
	if _, err := io.WriteString(w.out, text); err != nil {
		w.errs = append(w.errs, err)
	}
}

// err returns the errors of the output so far, once.
func (w *Wrapper) err() error {
	err := errors.Join(w.errs...)
	w.errs = nil
	return err
}
