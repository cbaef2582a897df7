//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/compute"

	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// Available is true if this build can load plugins.
const Available = true

// Client is a GoMLX backend on a decorated PJRT plugin.
type Client struct {
	Backend compute.Backend
	Version string // of the plugin, for people

	library *library
	pointer unsafe.Pointer
	cpu     bool
	kernels mlir.Kernels // custom calls that programs may contain
	tf32    bool         // float32 products may round their operands
	inspect bool
	target  *target          // nil: programs are compiled for the client's own devices
	cache   *filecache.Cache // of compiled programs
	context []byte           // what a compiled program depends on, except its text and options
	log     *slog.Logger
	tags    atomic.Int64

	mu       sync.Mutex
	compiled []Compiled
	byTag    map[string]Compiled // records that Take has not returned yet
	bf16x3   map[string]bool     // tags of programs whose float32 products may be computed as three of bfloat16
	silent   bool                // a problem with compiled programs has been logged
}

// Kernels describes the kernels that programs of this client call, or why they call none, for people; it is empty for
// GPUs.
func (c *Client) Kernels() string {
	switch {
	case !c.cpu:
		return ""
	case !kernels.ProductAvailable():
		return "none: the processor lacks AVX2 or FMA"
	case len(c.kernels) == 0:
		return "none"
	}
	names := slices.Sorted(maps.Keys(c.kernels))
	return fmt.Sprintf("%s (%s; version %s)", kernels.Instructions(), strings.Join(names, ", "), kernels.Version())
}

// FastBF16 reports whether products of bfloat16 matrices are faster than products of float32 matrices: on GPUs, and on
// processors whose kernels are.
func (c *Client) FastBF16() bool { return !c.cpu || len(c.kernels) > 0 && kernels.FastBF16() }

// Close frees the client. Its buffers and programs must not be used afterwards.
func (c *Client) Close() {
	c.library.mu.Lock()
	delete(c.library.compile, c.pointer)
	c.library.mu.Unlock()
	c.Backend.Finalize()
}

// Attribute returns a string attribute of a device, such as the compute_capability of a GPU, or "" if the device
// has none of that name.
func (c *Client) Attribute(device int, name string) string {
	devices, err := c.library.devices(c.pointer)
	if err != nil || device < 0 || device >= len(devices) {
		return ""
	}
	args := C.attributes_args{}
	args.size = C.sizeof_attributes_args
	if args.description, err = c.library.get(C.api_device_get_description, devices[device]); err != nil {
		return ""
	}
	if err := c.library.call(C.api_device_description_attributes, unsafe.Pointer(&args)); err != nil {
		return ""
	}
	attributes := unsafe.Slice(args.attributes, args.n)
	for i := range attributes {
		a := &attributes[i]
		if a._type == 0 && C.GoStringN(a.name, C.int(a.name_size)) == name {
			return C.GoStringN(C.value_text(a), C.int(a.n))
		}
	}
	return ""
}

// Tag returns a unique name for one compilation of the program called name. Take returns the record of that
// compilation.
func (c *Client) Tag(name string) string {
	return fmt.Sprintf("%s%s%d", name, mlir.TagPrefix, c.tags.Add(1))
}

// TagBF16x3 is Tag for a program whose float32 products may be computed as three products of bfloat16 where the
// processor has AMX.
func (c *Client) TagBF16x3(name string) string {
	name = c.Tag(name)
	if c.cpu {
		_, tag := mlir.SplitTag(name)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bf16x3[tag] = true
	}
	return name
}

// takeBF16x3 reports whether TagBF16x3 returned this tag, and forgets the tag.
func (c *Client) takeBF16x3(tag string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	allowed := c.bf16x3[tag]
	delete(c.bf16x3, tag)
	return allowed
}

// Take returns the record of the compilation under this name, once; ok is false if there is none.
func (c *Client) Take(tag string) (Compiled, bool) {
	_, suffix := mlir.SplitTag(tag)
	c.mu.Lock()
	defer c.mu.Unlock()
	record, ok := c.byTag[suffix]
	delete(c.byTag, suffix)
	return record, ok
}

// Compiled returns the records of all programs compiled so far, in the order of their completion.
func (c *Client) Compiled() []Compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.compiled)
}

// Memory returns the state of a device's memory; ok is false where the plugin does not keep count, as on CPUs.
func (c *Client) Memory(device int) (m Memory, ok bool) {
	devices, err := c.library.devices(c.pointer)
	if err != nil || device < 0 || device >= len(devices) {
		return Memory{}, false
	}
	args := C.device_memory_args{device: devices[device]}
	args.size = C.sizeof_device_memory_args
	if err := c.library.call(C.api_device_memory_stats, unsafe.Pointer(&args)); err != nil {
		return Memory{}, false
	}
	return Memory{Used: int64(args.used), Peak: int64(args.peak.value), Limit: int64(args.limit.value)}, true
}

// record adds the record of a compilation.
func (c *Client) record(record Compiled, tag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compiled = append(c.compiled, record)
	if tag != "" {
		c.byTag[tag] = record
	}
}

// warn logs the first problem with compiled programs; none of them is fatal.
func (c *Client) warn(format string, args ...any) {
	c.mu.Lock()
	silent := c.silent
	c.silent = true
	c.mu.Unlock()
	if !silent && c.log != nil {
		c.log.Warn(fmt.Sprintf(format, args...))
	}
}
