//go:build cgo && linux

package pjrt

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "api.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/pjrt"

	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// envFlags is the environment variable from which XLA reads its flags.
const envFlags = "XLA_FLAGS"

// library is a plugin that this process has loaded.
type library struct {
	name  string // the name under which go-xla has registered it
	path  string
	build string          // identifies the build of the plugin
	table *unsafe.Pointer // the plugin's own table of functions; go-xla calls a modified copy

	kernels mlir.Kernels // the custom calls that its programs may contain
	refused string       // a client option of go-xla for GPUs that a CPU plugin does not accept

	mu      sync.Mutex
	created unsafe.Pointer                                                 // the latest client
	compile map[unsafe.Pointer]func(*C.client_compile_args) unsafe.Pointer // by client
}

// libraries are the plugins that this process has loaded, by the number of their trampolines in table.c. A shared
// library is loaded once per process and go-xla has one registry of plugins per process, so this state is global.
var libraries struct {
	sync.Mutex
	slots [C.slots]*library
}

// load loads the plugin at path and registers it with go-xla. cpu is true for a CPU plugin; asCPU is false if
// go-xla should build programs as for GPUs. The caller holds the lock of libraries.
func load(path string, cpu, asCPU bool) (*library, error) {
	// go-xla derives the platform from the name. It searches for a plugin, and downloads one, unless the name looks
	// like an absolute path.
	kind := "/cuda-"
	if asCPU {
		kind = "/cpu-"
	}
	slot := 0
	for slot < len(libraries.slots) && libraries.slots[slot] != nil {
		if l := libraries.slots[slot]; l.path == path && strings.HasPrefix(l.name, kind) {
			return l, nil
		}
		slot++
	}
	if slot == len(libraries.slots) {
		return nil, fmt.Errorf("%d other plugins have been loaded, which is the limit of one process", slot)
	}
	l, err := dynamicLibrary(path)
	if err != nil {
		return nil, err
	}
	l.name = fmt.Sprintf("%s%d", kind, slot)
	if cpu && !asCPU {
		l.refused = "preallocate"
	}
	if asCPU {
		l.addKernels()
	}
	decorated := C.copy_table(l.table, C.int(slot))
	if decorated == nil {
		return nil, errors.New("out of memory")
	}
	if err := pjrt.RegisterPreloadedPlugin(l.name, uintptr(unsafe.Pointer(decorated))); err != nil {
		return nil, err
	}
	libraries.slots[slot] = l
	return l, nil
}

// addKernels registers the kernels that the processor can run as custom calls of the plugin. If the plugin refuses one,
// programs call none.
func (l *library) addKernels() {
	handlers := map[string]unsafe.Pointer{}
	if kernels.ProductAvailable() {
		handlers[mlir.ProductTarget] = kernels.Product()
	}
	if kernels.Available() {
		handlers[mlir.RowsTarget] = kernels.Rows()
		handlers[mlir.AttentionTarget] = kernels.Attention()
		handlers[mlir.AttentionGradientTarget] = kernels.AttentionGradient()
		handlers[mlir.DecoderTarget] = kernels.Decoder()
	}
	known := mlir.Kernels{}
	for target, handler := range handlers {
		if !C.add_handler(l.table, C.CString(target), handler) { // the plugin may keep the name
			return
		}
		known[target] = true
	}
	l.kernels = known
}

// dynamicLibrary loads the plugin at path without registering it with go-xla.
func dynamicLibrary(path string) (*library, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	l := &library{path: path, compile: map[unsafe.Pointer]func(*C.client_compile_args) unsafe.Pointer{}}
	l.build = fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC())
	if err := setCUDAFolder(path); err != nil {
		return nil, err
	}
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var reason *C.char
	if l.table = C.open_plugin(cPath, &reason); l.table == nil {
		return nil, errors.New(C.GoString(reason))
	}
	return l, nil
}

// setCUDAFolder sets XLA's flag for the folder of CUDA tools that go-xla's installer puts next to a plugin's
// folder. XLA reads its flags when it is loaded.
func setCUDAFolder(plugin string) error {
	folder := filepath.Join(filepath.Dir(filepath.Dir(plugin)), "nvidia")
	flags := os.Getenv(envFlags)
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() || strings.Contains(flags, "--xla_gpu_cuda_data_dir") {
		return nil
	}
	return os.Setenv(envFlags, strings.TrimSpace(flags+" --xla_gpu_cuda_data_dir="+folder))
}

// open creates a client. The caller holds the lock of libraries, so the client that clientCreate records is this
// one.
func (l *library) open(o Options) (compute.Backend, unsafe.Pointer, error) {
	// No shared buffers: go-xla allocates and frees their memory, and would free a donated buffer that holds a
	// result. No TF32 by default: float32 is used where precision matters, and bfloat16 elsewhere.
	config := fmt.Sprintf("%s,noshared_buffers,tf32=%t", l.name, o.TF32 && (!o.CPU || o.Target != nil))
	options := pjrt.NamedValuesMap{}
	if o.CPU {
		options["cpu_device_count"] = int64(max(1, o.Devices))
	} else {
		config += fmt.Sprintf(",memory_fraction=%g", MemoryFraction)
	}
	backend, err := xla.NewWithOptions(config, options)
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return backend, l.created, nil
}

// version returns the version of the PJRT C API that the plugin was built with.
func (l *library) version() (major, minor int) {
	v := (*[2]C.int)(unsafe.Add(unsafe.Pointer(l.table), C.api_version*C.sizeof_size_t))
	return int(v[0]), int(v[1])
}

// call calls an entry of the plugin's own table and converts its error.
func (l *library) call(entry C.int, args unsafe.Pointer) error {
	if !C.has(l.table, entry) {
		return errors.New("the plugin lacks a function that is needed")
	}
	failed := C.call(l.table, entry, args)
	if failed == nil {
		return nil
	}
	message := C.error_message_args{error: failed}
	message.size = C.sizeof_error_message_args
	C.call(l.table, C.api_error_message, unsafe.Pointer(&message))
	err := errors.New(C.GoStringN(message.text, C.int(message.length)))
	destroy := C.error_args{error: failed}
	destroy.size = C.sizeof_error_args
	C.call(l.table, C.api_error_destroy, unsafe.Pointer(&destroy))
	return err
}

// text calls an entry that returns a string of an object.
func (l *library) text(entry C.int, object unsafe.Pointer) (string, error) {
	args := C.text_args{object: object}
	args.size = C.sizeof_text_args
	if err := l.call(entry, unsafe.Pointer(&args)); err != nil {
		return "", err
	}
	return C.GoStringN(args.text, C.int(args.length)), nil
}

// devices returns a client's devices.
func (l *library) devices(client unsafe.Pointer) ([]unsafe.Pointer, error) {
	args := C.devices_args{client: client}
	args.size = C.sizeof_devices_args
	if err := l.call(C.api_client_addressable_devices, unsafe.Pointer(&args)); err != nil {
		return nil, err
	}
	return unsafe.Slice(args.devices, args.n), nil
}

// get calls an entry that returns an object that belongs to another one.
func (l *library) get(entry C.int, from unsafe.Pointer) (unsafe.Pointer, error) {
	args := C.get_args{from: from}
	args.size = C.sizeof_get_args
	err := l.call(entry, unsafe.Pointer(&args))
	return args.to, err
}

// clientCreate is called instead of PJRT_Client_Create.
//
//export clientCreate
func clientCreate(slot C.int, args unsafe.Pointer) unsafe.Pointer {
	l := libraries.slots[slot]
	create := (*C.client_create_args)(args)
	create.n = C.size_t(withoutOption(unsafe.Slice(create.options, create.n), l.refused))
	failed := C.call(l.table, C.api_client_create, args)
	if failed == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.created = create.client
	}
	return failed
}

// withoutOption removes the options called name in place and returns the number of the others.
func withoutOption(options []C.named_value, name string) (n int) {
	for _, o := range options {
		if C.GoStringN(o.name, C.int(o.name_size)) != name {
			options[n] = o
			n++
		}
	}
	return n
}

// clientCompile is called instead of PJRT_Client_Compile.
//
//export clientCompile
func clientCompile(slot C.int, args unsafe.Pointer) unsafe.Pointer {
	l := libraries.slots[slot]
	asked := (*C.client_compile_args)(args)
	l.mu.Lock()
	compile := l.compile[asked.client]
	l.mu.Unlock()
	if compile == nil || C.GoStringN(asked.program.format, C.int(asked.program.format_size)) != "mlir" {
		return C.call(l.table, C.api_client_compile, args)
	}
	return compile(asked)
}
