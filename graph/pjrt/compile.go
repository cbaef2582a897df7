//go:build cgo && linux

package pjrt

/*
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"os"
	"time"
	"unsafe"

	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// compile is called instead of PJRT_Client_Compile. It returns the plugin's error object, or nil.
func (c *Client) compile(args *C.client_compile_args) unsafe.Pointer {
	start := time.Now()
	text, name, tag := mlir.RemoveTag(C.GoStringN(args.program.code, C.int(args.program.code_size)))
	text = mlir.Rewrite(text, mlir.Options{
		CPU: c.cpu, Kernels: c.kernels, BF16x3: c.takeBF16x3(tag) || c.tf32,
	})
	options := C.GoBytes(unsafe.Pointer(args.options), C.int(args.options_size))
	if c.target != nil {
		record := c.compileAhead(text, withGPUOptions(options, os.Getenv(envFlags)))
		record.Name = name
		c.record(record, tag)
		return c.compileText(args, stub, options)
	}
	if !c.cpu {
		options = withGPUOptions(options, os.Getenv(envFlags))
	}
	record := Compiled{Name: name}
	key := filecache.Key([]byte(text), options, c.context)
	record.Key = key
	if content, ok := c.cache.Get(key); ok {
		loaded, err := c.load(content)
		if err == nil {
			args.loaded, record.Cached = loaded, true
		} else {
			c.cache.Remove(key)
			c.warn("a compiled program in the cache cannot be loaded and is compiled again: %v", err)
		}
	}
	if !record.Cached {
		if failed := c.compileText(args, text, options); failed != nil {
			return failed
		}
	}
	c.finish(args.loaded, record, start, tag)
	return nil
}

// compileAhead compiles a program for the target and returns its record.
func (c *Client) compileAhead(text string, options []byte) (record Compiled) {
	start := time.Now()
	executable, err := c.target.compile(text, options)
	if err != nil {
		record.Failed = err
		return record
	}
	record.Seconds = time.Since(start).Seconds()
	defer c.destroyExecutable(c.target.plugin, executable)
	c.measure(c.target.plugin, executable, &record)
	return record
}

// finish completes the record of a compiled program and stores the program in the cache if the record has a key.
func (c *Client) finish(loaded unsafe.Pointer, record Compiled, start time.Time, tag string) {
	executable, err := c.library.get(C.api_get_executable, loaded)
	if err == nil {
		defer c.destroyExecutable(c.library, executable)
		c.measure(c.library, executable, &record)
		if !record.Cached && record.Key != "" {
			c.keep(record.Key, executable)
		}
	}
	record.Seconds = time.Since(start).Seconds()
	c.record(record, tag)
}

// compileText lets the plugin compile text with options instead of the program and the options in args.
func (c *Client) compileText(args *C.client_compile_args, text string, options []byte) unsafe.Pointer {
	original := *args
	replaced := (*C.program)(C.malloc(C.sizeof_program))
	*replaced = *original.program
	replaced.code = C.CString(text)
	replaced.code_size = C.size_t(len(text))
	args.program = replaced
	args.options, args.options_size = (*C.char)(C.CBytes(options)), C.size_t(len(options))
	defer func() {
		C.free(unsafe.Pointer(args.options))
		args.program, args.options, args.options_size = original.program, original.options, original.options_size
		C.free(unsafe.Pointer(replaced.code))
		C.free(unsafe.Pointer(replaced))
	}()
	return C.call(c.library.table, C.api_client_compile, unsafe.Pointer(args))
}

// measure fills in the sizes of a compiled program and, with Options.Inspect, its operations.
func (c *Client) measure(l *library, executable unsafe.Pointer, record *Compiled) {
	args := C.executable_memory_args{executable: executable}
	args.size = C.sizeof_executable_memory_args
	if err := l.call(C.api_executable_memory, unsafe.Pointer(&args)); err != nil {
		c.warn("the plugin does not report the sizes of compiled programs: %v", err)
		return
	}
	record.Inputs, record.Outputs = int64(args.inputs), int64(args.outputs)
	record.Aliases, record.Temp = int64(args.aliases), int64(args.temp)
	if !c.inspect {
		return
	}
	operations, err := l.inspect(executable)
	if err != nil {
		c.warn("the operations of compiled programs cannot be listed: %v", err)
	}
	record.Work = &hlo.Work{Operations: operations}
}

// keep stores a compiled program in the cache.
func (c *Client) keep(key string, executable unsafe.Pointer) {
	if c.cache.Dir == "" {
		return
	}
	args := C.serialize_args{executable: executable}
	args.size = C.sizeof_serialize_args
	err := c.library.call(C.api_executable_serialize, unsafe.Pointer(&args))
	if err == nil {
		err = c.cache.Put(key, unsafe.Slice((*byte)(unsafe.Pointer(args.bytes)), args.n))
		C.release(&args)
	}
	if err != nil {
		c.warn("compiled programs cannot be stored in the cache: %v", err)
	}
}

// load loads an executable from the content of a cache entry.
func (c *Client) load(content []byte) (unsafe.Pointer, error) {
	copied := C.CBytes(content)
	defer C.free(copied)
	args := C.load_args{client: c.pointer, bytes: (*C.char)(copied), n: C.size_t(len(content))}
	args.size = C.sizeof_load_args
	err := c.library.call(C.api_executable_load, unsafe.Pointer(&args))
	return args.loaded, err
}

func (c *Client) destroyExecutable(l *library, executable unsafe.Pointer) {
	args := C.text_args{object: executable}
	args.size = 3 * C.sizeof_size_t
	if err := l.call(C.api_executable_destroy, unsafe.Pointer(&args)); err != nil {
		c.warn("an executable cannot be freed: %v", err)
	}
}
