//go:build cgo && linux

package pjrt

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
)

// inspect returns the costly operations of an executable.
func (l *library) inspect(executable unsafe.Pointer) ([]hlo.Operation, error) {
	program, format, err := l.optimized(executable)
	if err != nil {
		return nil, err
	}
	switch format {
	case "hlo", "hlo_with_config":
		return hlo.Operations(program, format == "hlo_with_config")
	}
	return nil, fmt.Errorf("the optimized program has the unknown format %q", format)
}

// optimized returns the program of an executable after all of XLA's passes, and the format of the text.
func (l *library) optimized(executable unsafe.Pointer) (text []byte, format string, err error) {
	program := (*C.program)(C.calloc(1, C.sizeof_program))
	defer C.free(unsafe.Pointer(program))
	program.size = C.sizeof_program
	args := (*C.optimized_args)(C.calloc(1, C.sizeof_optimized_args))
	defer C.free(unsafe.Pointer(args))
	args.size, args.executable, args.program = C.sizeof_optimized_args, executable, program
	if err := l.call(C.api_executable_optimized, unsafe.Pointer(args)); err != nil { // this call returns the size
		return nil, "", err
	}
	program.code = (*C.char)(C.malloc(program.code_size))
	defer C.free(unsafe.Pointer(program.code))
	if err := l.call(C.api_executable_optimized, unsafe.Pointer(args)); err != nil {
		return nil, "", err
	}
	format = C.GoStringN(program.format, C.int(program.format_size))
	return C.GoBytes(unsafe.Pointer(program.code), C.int(program.code_size)), format, nil
}
