// Package fault turns a panic, which is a fault in this program, into an error that says so.
//
// A panic in a goroutine ends the process, whatever its caller recovers from. So every goroutine that computes
// something from a user's files does it in Call.
//
// The package imports nothing of this module.
package fault

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic. Its message is short; the stack is for reports.
type Error struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (e *Error) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// Unwrap returns the error that was the value of the panic, if it was one.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Call calls f and returns its error, or an *Error if f panics.
func Call(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Value: p, Stack: debug.Stack()}
		}
	}()
	return f()
}
