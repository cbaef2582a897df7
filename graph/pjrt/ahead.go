//go:build cgo && linux

package pjrt

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// target is a compiler for devices that need not be present: a plugin without a client, and a description of the
// devices.
type target struct {
	plugin   *library
	topology unsafe.Pointer
}

// stub is the program that go-xla gets instead of one that was compiled for a target. It has no arguments, so
// running it with the arguments of that program fails.
const stub = `module @ahead_of_time {
  func.func @main() -> tensor<f32> {
    %0 = "stablehlo.constant"() { value = dense<0.0> : tensor<f32> } : () -> tensor<f32>
    "stablehlo.return"(%0) : (tensor<f32>) -> ()
  }
}
`

// newTarget loads the target's plugin and creates the description of its devices.
func newTarget(t Target) (*target, error) {
	l, err := dynamicLibrary(t.Plugin)
	if err == nil && !C.has(l.table, C.api_topology_create) {
		err = errors.New("it cannot compile for devices that are not present")
	}
	if err == nil {
		args := C.error_args{}
		args.size = 2 * C.sizeof_size_t
		err = l.call(C.api_plugin_initialize, unsafe.Pointer(&args))
	}
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", t.Plugin, err)
	}
	options, free := namedTexts("target_config", t.Config, "topology", t.Topology)
	defer free()
	args := (*C.topology_create_args)(C.calloc(1, C.sizeof_topology_create_args))
	defer C.free(unsafe.Pointer(args))
	args.size, args.options, args.n = C.sizeof_topology_create_args, options, 2
	if err := l.call(C.api_topology_create, unsafe.Pointer(args)); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", t.Plugin, err)
	}
	return &target{l, args.topology}, nil
}

// namedTexts returns a C array of named strings, from alternating names and values, and a function that frees it.
func namedTexts(texts ...string) (array *C.named_value, free func()) {
	n := len(texts) / 2
	array = (*C.named_value)(C.calloc(C.size_t(n), C.sizeof_named_value))
	for i, value := range unsafe.Slice(array, n) {
		name, text := texts[2*i], texts[2*i+1]
		value.size = C.sizeof_named_value
		value.name, value.name_size = C.CString(name), C.size_t(len(name))
		value.text, value.n = C.CString(text), C.size_t(len(text))
		unsafe.Slice(array, n)[i] = value
	}
	return array, func() {
		for _, value := range unsafe.Slice(array, n) {
			C.free(unsafe.Pointer(value.name))
			C.free(unsafe.Pointer(value.text))
		}
		C.free(unsafe.Pointer(array))
	}
}

// compile compiles a program for the target. The executable can be measured but not loaded.
func (t *target) compile(text string, options []byte) (unsafe.Pointer, error) {
	program := (*C.program)(C.calloc(1, C.sizeof_program))
	defer C.free(unsafe.Pointer(program))
	program.size = C.sizeof_program
	program.code, program.code_size = C.CString(text), C.size_t(len(text))
	program.format, program.format_size = C.CString("mlir"), 4
	defer C.free(unsafe.Pointer(program.code))
	defer C.free(unsafe.Pointer(program.format))
	args := (*C.ahead_compile_args)(C.calloc(1, C.sizeof_ahead_compile_args))
	defer C.free(unsafe.Pointer(args))
	args.size, args.topology, args.program = C.sizeof_ahead_compile_args, t.topology, program
	args.options, args.options_size = (*C.char)(C.CBytes(options)), C.size_t(len(options))
	defer C.free(unsafe.Pointer(args.options))
	if err := t.plugin.call(C.api_compile, unsafe.Pointer(args)); err != nil {
		return nil, err
	}
	return args.executable, nil
}
