package safetensors

import (
	"errors"
	"runtime/debug"
)

// errShrunk is the error for a mapped file that lost bytes while it was in use.
var errShrunk = errors.New("the file became shorter while it was in use: it was overwritten or truncated")

// CatchFaults calls read, which reads from mapped files, on the same goroutine. The system stops a program that reads
// behind the end of a mapped file; CatchFaults makes that an error.
func CatchFaults(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch fault := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a memory fault; see debug.SetPanicOnFault
			err = errShrunk
		default:
			panic(fault)
		}
	}()
	return read()
}
