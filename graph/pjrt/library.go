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
)

// library is a plugin in this process.
type library struct {
	name  string // under which go-xla knows it
	path  string
	build string          // what tells one build of the plugin from another
	table *unsafe.Pointer // the plugin's own; go-xla calls a decorated copy

	kernels bool   // it calls package kernels
	refused string // the option that go-xla gives to GPU clients, and a CPU plugin that stands in for one refuses

	mu      sync.Mutex
	created unsafe.Pointer // the client that was created last
	clients map[unsafe.Pointer]*Client
}

// libraries are the plugins that this process has loaded. A shared library is loaded once per process, go-xla's registry of plugins
// is one per process, and a C function finds its plugin by nothing but a number: so this is the one variable of the package.
var libraries struct {
	sync.Mutex
	slots [C.slots]*library
}

// load returns the decorated plugin at path, whose programs are built as for CPUs or as for GPUs. The caller holds libraries' lock.
func load(path string, cpu, asCPU bool) (*library, error) {
	// go-xla tells platforms by names, takes a name that looks like an absolute path as it stands, and searches for (and downloads)
	// plugins of any other name.
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
		return nil, fmt.Errorf("%d other plugins are loaded already", slot)
	}
	l, err := dynamicLibrary(path)
	if err != nil {
		return nil, err
	}
	l.name = fmt.Sprintf("%s%d", kind, slot)
	if cpu && !asCPU {
		l.refused = "preallocate"
	}
	l.kernels = asCPU && kernels.Available() && l.addHandler(productTarget, kernels.Product()) && l.addHandler(rowsTarget, kernels.Rows()) &&
		l.addHandler(attentionTarget, kernels.Attention()) && l.addHandler(attentionGradientTarget, kernels.AttentionGradient()) &&
		l.addHandler(decoderTarget, kernels.Decoder()) && l.addHandler(weighedRowsTarget, kernels.WeighedRows()) &&
		l.addHandler(gateGradientTarget, kernels.GateGradient())
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

// addHandler has programs of the plugin call a function under this name, and tells whether they can.
func (l *library) addHandler(name string, handler unsafe.Pointer) bool {
	return bool(C.add_handler(l.table, C.CString(name), handler)) // the plugin may keep the name
}

// dynamicLibrary loads the plugin at path, of which go-xla knows nothing yet.
func dynamicLibrary(path string) (*library, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	l := &library{path: path, clients: map[unsafe.Pointer]*Client{}}
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

// setCUDAFolder tells XLA where the CUDA tools lie that go-xla's installer puts beside a plugin's folder. XLA reads the variable
// when it is loaded.
func setCUDAFolder(plugin string) error {
	folder := filepath.Join(filepath.Dir(filepath.Dir(plugin)), "nvidia")
	flags := os.Getenv(envFlags)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() || strings.Contains(flags, "--xla_gpu_cuda_data_dir") {
		return nil
	}
	return os.Setenv(envFlags, strings.TrimSpace(flags+" --xla_gpu_cuda_data_dir="+folder))
}

// open creates a client. The caller holds libraries' lock, so that the client created meanwhile is this one.
func (l *library) open(o Options) (compute.Backend, unsafe.Pointer, error) {
	// Without shared buffers: those are views of memory that go-xla allocates and frees, and a donated one would be freed while the
	// result still lies in it. Without TF32 unless asked for: float32 is for where its digits count, all else computes in bfloat16.
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

// version returns the version of the C API that the plugin was built with.
func (l *library) version() (major, minor int) {
	v := (*[2]C.int)(unsafe.Add(unsafe.Pointer(l.table), C.api_version*C.sizeof_size_t))
	return int(v[0]), int(v[1])
}

// call calls an entry of the plugin's own table and returns its error, which is then freed.
func (l *library) call(entry C.int, args unsafe.Pointer) error {
	if !C.has(l.table, entry) {
		return errors.New("the plugin lacks this function")
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

// get calls an entry that returns one object of another.
func (l *library) get(entry C.int, from unsafe.Pointer) (unsafe.Pointer, error) {
	args := C.get_args{from: from}
	args.size = C.sizeof_get_args
	err := l.call(entry, unsafe.Pointer(&args))
	return args.to, err
}

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

// withoutOption moves the options of another name to the front and returns their number.
func withoutOption(options []C.named_value, name string) (n int) {
	for _, o := range options {
		if C.GoStringN(o.name, C.int(o.name_size)) != name {
			options[n] = o
			n++
		}
	}
	return n
}

//export clientCompile
func clientCompile(slot C.int, args unsafe.Pointer) unsafe.Pointer {
	l := libraries.slots[slot]
	compile := (*C.client_compile_args)(args)
	l.mu.Lock()
	c := l.clients[compile.client]
	l.mu.Unlock()
	if c == nil || C.GoStringN(compile.program.format, C.int(compile.program.format_size)) != "mlir" {
		return C.call(l.table, C.api_client_compile, args)
	}
	return c.compile(compile)
}
