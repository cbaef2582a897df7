//go:build cgo && linux

package pjrt

// #include "api.h"
import "C"

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"

	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/pjrt/kernels"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// Available is true if this build can load plugins.
const Available = true

// envFlags is the environment variable from which XLA reads its flags.
const envFlags = "XLA_FLAGS"

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
	log     func(format string, args ...any)
	tags    atomic.Int64

	mu       sync.Mutex
	compiled []Compiled
	byTag    map[string]Compiled // records that Take has not returned yet
	bf16x3   map[string]bool     // tags of programs whose float32 products may be computed as three of bfloat16
	silent   bool                // a problem with compiled programs has been logged
}

// Open loads the plugin at path and creates a client. Errors name the plugin and the step that failed.
func Open(path string, o Options) (*Client, error) {
	libraries.Lock()
	defer libraries.Unlock()
	l, err := load(path, o.CPU, o.CPU && o.Target == nil)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	backend, pointer, err := l.open(o)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	c := &Client{
		Backend: backend, library: l, pointer: pointer, cpu: o.CPU && o.Target == nil, tf32: o.TF32, inspect: o.Inspect,
		log: o.Log, byTag: map[string]Compiled{}, bf16x3: map[string]bool{},
	}
	c.cache = &filecache.Cache{
		Dir: o.CacheDir, Limit: o.CacheLimit, Magic: "bfpo compiled program 1\n", Suffix: ".xla",
	}
	if o.Target != nil {
		if c.target, err = newTarget(*o.Target); err != nil {
			return nil, err
		}
	}
	platform, err := l.text(C.api_client_platform_version, pointer)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: platform version: %w", path, err)
	}
	major, minor := l.version()
	platform = strings.ReplaceAll(strings.TrimSpace(platform), "\n", ", ")
	c.Version = fmt.Sprintf("PJRT %d.%d, %s", major, minor, platform)
	if l.kernels {
		c.kernels = o.Kernels
	}
	kinds, err := c.deviceKinds()
	if err != nil {
		return nil, fmt.Errorf("plugin %s: devices: %w", path, err)
	}
	flags := os.Getenv(envFlags)
	if strings.Contains(flags, "--xla_dump_to") {
		c.cache.Dir = "" // XLA dumps only programs that it compiles
	}
	c.context = fmt.Appendf(nil, "%s\n%s\n%q\n%s\n%s\n%s\n", c.Version, l.build, kinds, processor(), flags,
		kernelContext(c.kernels, kernels.Version()))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients[pointer] = c
	return c, nil
}

// kernelContext returns what the results of custom calls depend on: the version of the kernels, and which of them
// programs call. It is empty if programs call none.
func kernelContext(called mlir.Kernels, version string) string {
	if len(called) == 0 {
		return ""
	}
	return fmt.Sprintf("kernels %s %q", version, slices.Sorted(maps.Keys(called)))
}

// Kernels describes the kernels that programs of this client call, for people; it is empty if there are none.
func (c *Client) Kernels() string {
	if len(c.kernels) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(c.kernels))
	return fmt.Sprintf("%s (%s; version %s)", kernels.Instructions(), strings.Join(names, ", "), kernels.Version())
}

// FastBF16 reports whether products of bfloat16 matrices are faster than products of float32 matrices: on GPUs, and on
// processors whose kernels are.
func (c *Client) FastBF16() bool { return !c.cpu || len(c.kernels) > 0 && kernels.FastBF16() }

// Install runs go-xla's installer, which downloads plugins into go-xla's folder. Their versions are not pinned.
func Install() error { return xla.AutoInstall() }

// Close frees the client. Its buffers and programs must not be used afterwards.
func (c *Client) Close() {
	c.library.mu.Lock()
	delete(c.library.clients, c.pointer)
	c.library.mu.Unlock()
	c.Backend.Finalize()
}

func (c *Client) deviceKinds() ([]string, error) {
	devices, err := c.library.devices(c.pointer)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for _, device := range devices {
		description, err := c.library.get(C.api_device_get_description, device)
		if err != nil {
			return nil, err
		}
		kind, err := c.library.text(C.api_device_description_kind, description)
		if err != nil {
			return nil, err
		}
		kinds = append(kinds, kind)
	}
	return kinds, nil
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
	for _, a := range unsafe.Slice(args.attributes, args.n) {
		if a._type == 0 && C.GoStringN(a.name, C.int(a.name_size)) == name {
			return C.GoStringN(a.text, C.int(a.n))
		}
	}
	return ""
}

// processor describes the machine that programs are compiled for: XLA uses all instructions of the processor that
// it runs on, and splits loops by the number of cores.
func processor() string {
	text := fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return text
	}
	first, _, _ := strings.Cut(string(info), "\n\n")
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "vendor_id", "model name", "flags", "Features", "CPU part":
			text += "\n" + strings.TrimSpace(value)
		}
	}
	return text
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
