package jinja

import (
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets/jinja/syntax"
	"github.com/bfpo-go/bfpo/datasets/jinja/value"
)

// Error says why a template could not be read or rendered.
type Error struct {
	Line    int    // of the template, or 0
	Kind    string // Python's name of the exception, or that of a bound; see package value
	Message string
	Cause   error // of a function, or of a context that ended
}

// Error implements error.
func (e *Error) Error() string {
	text := e.Message
	if e.Kind != "" {
		text = e.Kind + ": " + text
	}
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// Unwrap returns the error of a function or context.
func (e *Error) Unwrap() error { return e.Cause }

// Raised is the error of a template that refuses its variables with raise_exception.
type Raised struct{ Message string } // the template's words

// Error implements error.
func (r *Raised) Error() string { return r.Message }

func raiseException(args []any) (any, error) {
	if len(args) != 1 {
		return nil, errors.New("raise_exception takes one message")
	}
	return nil, &Raised{fmt.Sprint(args[0])}
}

// syntaxError returns the error of a source that is no template.
func syntaxError(err error) error {
	var s *syntax.Error
	if errors.As(err, &s) {
		return &Error{Line: s.Line, Kind: "TemplateSyntaxError", Message: s.Message}
	}
	return err
}

// failure returns the error of what ended a rendering, a panic's value. What a function raised keeps its own words.
func failure(p any, line int) error {
	f, ok := p.(*value.Failure)
	if !ok {
		return &Error{Line: line, Kind: "InternalError", Message: fmt.Sprint(p)}
	}
	var raised *Raised
	if errors.As(f.Cause, &raised) {
		return raised
	}
	return &Error{Line: line, Kind: f.Kind, Message: f.Message, Cause: f.Cause}
}
