package usage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/edit"
)

// UsageError is a wrong flag or a wrong recipe: something the user has to change before anything can run. The program exits with 2.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usagef makes a *UsageError as fmt.Errorf makes an error.
func Errorf(format string, args ...any) error {
	return &Error{fmt.Errorf(format, args...)}
}

// Nearest is the known name most like the given one, by edits of one letter, or "" where none is near.
func Nearest(name string, known []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := edit.Distance(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// didYouMean is the tail of an error about an unknown name.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// oneOf lists choices for an error message, as "a, b or c".
func OneOf(choices []string) string {
	if len(choices) < 2 {
		return strings.Join(choices, "")
	}
	last := len(choices) - 1
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// ErrInterrupted is wrapped by the error of a run that was told to stop and has saved its state.
var ErrInterrupted = errors.New("interrupted")
