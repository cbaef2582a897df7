package value

import "fmt"

// Failure is why a rendering ends: an exception that Python would raise, or a bound of this package.
type Failure struct {
	Kind    string // the name of Python's exception, or Limit, Unsupported or Stopped
	Message string
	Line    int   // of the template; 0 while it is not known
	Cause   error // of a Stopped rendering, the context's error
}

// Kinds of failures that Python does not have.
const (
	Limit       = "LimitError"       // a bound of time, memory or nesting
	Unsupported = "UnsupportedError" // Python does it, this package does not
	Stopped     = "Stopped"          // the context ended
)

// Error implements error.
func (f *Failure) Error() string { return f.Kind + ": " + f.Message }

// Unwrap returns the context's error of a rendering that was stopped.
func (f *Failure) Unwrap() error { return f.Cause }

// Fail panics with a Failure.
func Fail(kind, format string, args ...any) {
	panic(&Failure{Kind: kind, Message: fmt.Sprintf(format, args...)})
}

// failType panics with Python's TypeError.
func failType(format string, args ...any) { Fail("TypeError", format, args...) }

// failValue panics with Python's ValueError.
func failValue(format string, args ...any) { Fail("ValueError", format, args...) }
