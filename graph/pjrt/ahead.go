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

	hidesLines bool // of XLA's log, except errors
	lines      lineFilter
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
func newTarget(description Target) (*target, error) {
	t := &target{hidesLines: hidesLogLines()}
	if err := t.quietly(func() error { return t.open(description) }); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", description.Plugin, err)
	}
	return t, nil
}

// quietly calls f, which calls the plugin, and keeps XLA's log lines from standard error meanwhile, except errors.
func (t *target) quietly(f func() error) error {
	if t.hidesLines {
		return t.lines.run(f)
	}
	return f()
}

// open loads the plugin and creates the description of the devices.
func (t *target) open(description Target) error {
	l, err := dynamicLibrary(description.Plugin)
	if err != nil {
		return err
	}
	if !C.has(l.table, C.api_topology_create) {
		return errors.New("it cannot compile for devices that are not present")
	}
	initialize := C.error_args{}
	initialize.size = 2 * C.sizeof_size_t
	if err := l.call(C.api_plugin_initialize, unsafe.Pointer(&initialize)); err != nil {
		return err
	}
	options, free := namedTexts("target_config", description.Config, "topology", description.Topology)
	defer free()
	args := (*C.topology_create_args)(C.calloc(1, C.sizeof_topology_create_args))
	defer C.free(unsafe.Pointer(args))
	args.size, args.options, args.n = C.sizeof_topology_create_args, options, 2
	if err := l.call(C.api_topology_create, unsafe.Pointer(args)); err != nil {
		return err
	}
	t.plugin, t.topology = l, args.topology
	return nil
}

// namedTexts returns a C array of named strings, from alternating names and values, and a function that frees it.
func namedTexts(texts ...string) (array *C.named_value, free func()) {
	n := len(texts) / 2
	array = (*C.named_value)(C.calloc(C.size_t(n), C.sizeof_named_value))
	values := unsafe.Slice(array, n)
	for i := range values {
		value, name, text := &values[i], texts[2*i], texts[2*i+1]
		value.size = C.sizeof_named_value
		value.name, value.name_size, value.n = C.CString(name), C.size_t(len(name)), C.size_t(len(text))
		C.set_value_text(value, C.CString(text))
	}
	return array, func() {
		for i := range values {
			C.free(unsafe.Pointer(values[i].name))
			C.free(unsafe.Pointer(C.value_text(&values[i])))
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
	err := t.quietly(func() error { return t.plugin.call(C.api_compile, unsafe.Pointer(args)) })
	if err != nil {
		return nil, err
	}
	return args.executable, nil
}
