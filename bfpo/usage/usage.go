// Package usage holds the errors that a user has to act on, and the wording that they share.
//
// An Error is a wrong flag or a wrong recipe; the program prints it and exits with 2. ErrInterrupted marks a run that
// stopped on request after saving its state. Nearest, DidYouMean and OneOf turn a list of known names into a
// suggestion or a list of choices. Word, Quote and Clean make text from files and servers safe to print.
//
// The package is a leaf: it imports only the edit distance of datasets/edit.
package usage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/edit"
)

// Error is a wrong flag or a wrong recipe: something that the user has to change before anything can run.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an *Error with a message as fmt.Errorf formats it.
func Errorf(format string, args ...any) error {
	return &Error{fmt.Errorf(format, args...)}
}

// MaxProblems is how many problems of one file are listed: whoever mends them sees the next ones then.
const MaxProblems = 20

// DidYouMean returns the end of an error message about an unknown name: a suggestion, or "" where no known name is
// near.
func DidYouMean(name string, known []string) string {
	if near := edit.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// OneOf lists choices for an error message, as "a, b or c".
func OneOf(choices []string) string {
	if len(choices) < 2 {
		return strings.Join(choices, "")
	}
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// ErrInterrupted is wrapped by the error of a run that was asked to stop and has saved its state.
var ErrInterrupted = errors.New("interrupted")
