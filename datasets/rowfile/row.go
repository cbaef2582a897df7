package rowfile

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Columns are the names of columns to decode; nil stands for all.
type Columns map[string]bool

// has reports whether a column is to be decoded.
func (c Columns) has(name string) bool { return c == nil || c[name] }

// Yield receives one row: the values by the names of their columns. A value is a string, a bool, a json.Number, a
// number of a parquet file, NaN for any number of JSON that is not finite, nil, a []any or a *jinja.Dict, which keeps
// the order of an object's keys or of a struct's fields, since templates see it; a map of a map column; a []byte of a
// binary column; or else Unread or Unusable.
//
// Line is where the row begins, counted from 1, or 0 where rows are not lines. For a value that is no row, such as a
// number among the objects of a JSON file, wrong says so and row is nil.
type Yield func(line int, row map[string]any, wrong error) error

// Unread stands for the value of a column that is not wanted.
type Unread struct{}

// Unusable stands for a value that no text can be made of.
type Unusable struct{ Err error }

// LineError is an error about a line of a file, counted from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *LineError) Unwrap() error { return e.Err }

// ErrNotUnicode is wrapped by the errors of texts that are not Unicode. Python's json keeps a lone surrogate, and the
// tokenizers refuse it; a decoder that puts U+FFFD in its place would train on other text than the file's.
var ErrNotUnicode = errors.New("text that is not Unicode")

// checkUnicode refuses text that is not UTF-8.
func checkUnicode(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%w: bytes that are not UTF-8", ErrNotUnicode)
	}
	return nil
}
