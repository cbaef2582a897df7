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
)

// Available tells whether this build can load plugins at all.
const Available = true

// envFlags is the environment variable that XLA takes its flags from.
const envFlags = "XLA_FLAGS"

// Client is a GoMLX backend on a decorated PJRT plugin.
type Client struct {
	Backend compute.Backend
	Version string // of the plugin, for people

	library *library
	pointer unsafe.Pointer
	cpu     bool
	targets Kernels // custom calls that programs may contain
	tf32    bool      // all float32 products may be of rounded numbers
	inspect bool
	target  *target          // nil: programs are compiled for the client's own devices
	cache   *filecache.Cache // of compiled programs
	context []byte           // all that a compiled program depends on besides its text and its options
	log     func(format string, args ...any)
	tags    atomic.Int64

	mu       sync.Mutex
	compiled []Compiled
	byTag    map[string]Compiled // waiting to be taken
	bf16x3   map[string]bool     // tags of programs whose float32 products may be sums of bfloat16 ones
	silent   bool                // the trouble with the cache was told once
}

// Open loads the plugin at path, decorates it and makes a client.
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
		Backend: backend, library: l, pointer: pointer, cpu: o.CPU && o.Target == nil, tf32: o.TF32, inspect: o.Inspect, log: o.Log, byTag: map[string]Compiled{},
		bf16x3: map[string]bool{},
		cache:  &filecache.Cache{Dir: o.CacheDir, Limit: o.CacheLimit, Magic: "bfpo compiled program 1\n", Suffix: ".xla"},
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
	c.Version = fmt.Sprintf("PJRT %d.%d, %s", major, minor, strings.ReplaceAll(strings.TrimSpace(platform), "\n", ", "))
	if l.kernels {
		c.targets = o.Kernels
	}
	kinds, err := c.deviceKinds()
	if err != nil {
		return nil, fmt.Errorf("plugin %s: devices: %w", path, err)
	}
	flags := os.Getenv(envFlags)
	if strings.Contains(flags, "--xla_dump_to") {
		c.cache.Dir = "" // a program that is loaded leaves no dump
	}
	c.context = fmt.Appendf(nil, "%s\n%s\n%q\n%s\n%s\n%s\n", c.Version, l.build, kinds, processor(), flags, kernelContext(c.targets))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clients[pointer] = c
	return c, nil
}

// kernelContext returns what the results of custom calls depend on: the version of the kernels, and which of them are called. It is empty
// where programs call none.
func kernelContext(targets Kernels) string {
	if len(targets) == 0 {
		return ""
	}
	return fmt.Sprintf("kernels %s %q", kernels.Version(), slices.Sorted(maps.Keys(targets)))
}

// Install lets go-xla's own installer put its plugins into its own folder. It uses the network and its builds are not pinned.
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

// Attribute returns a text that the plugin tells of a device, such as the compute_capability of a GPU; empty where it tells none.
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

// processor describes the machine that programs are compiled for: XLA uses all instructions of the processor it compiles on, and
// splits loops by the number of cores.
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

// Tag returns a name for one compilation of the program called name. Take(tag) returns its record after it was compiled.
func (c *Client) Tag(name string) string { return fmt.Sprintf("%s%s%d", name, tagMark, c.tags.Add(1)) }

// TagBF16x3 is Tag for a program whose float32 products may be computed as three of bfloat16, where the processor has AMX.
func (c *Client) TagBF16x3(name string) string {
	name = c.Tag(name)
	if c.cpu {
		_, tag := splitName(name)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bf16x3[tag] = true
	}
	return name
}

// takesBF16x3 tells, once, whether a tag is one of TagBF16x3.
func (c *Client) takesBF16x3(tag string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.bf16x3[tag]
	delete(c.bf16x3, tag)
	return asked
}

// Take returns the record of the compilation that was given this tag, once.
func (c *Client) Take(tag string) (Compiled, bool) {
	_, suffix := splitName(tag)
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
