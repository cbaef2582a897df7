package graph

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
	"github.com/bfpo-go/bfpo/graph/wheel"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Options say which device to open and how.
type Options struct {
	// Platform is auto, cpu, cuda, go, or the path of a PJRT plugin. Empty is auto: cuda when there is a GPU, else cpu, else go.
	Platform string
	// Devices is the number of devices that programs are to run on; 0 is one. XLA shows the processor as so many; of GPUs there must be.
	Devices int
	// TF32 lets XLA round the numbers of float32 products: on NVIDIA GPUs to the 11 bits of TF32, and on CPUs see WithBF16x3.
	TF32 bool
	// CacheDir holds plugins and compiled programs; empty: see wheel.CacheDir.
	CacheDir string
	// AllowInstaller lets go-xla's own installer fetch a plugin when no other is found. Its builds of XLA are not pinned, so numbers
	// may differ from the ones tested here. $GOMLX_NO_AUTO_INSTALL overrules it.
	AllowInstaller bool
	// Inspect has Compiled list what each program computes and exchanges, at some cost in time.
	Inspect bool
	// Log receives one-line notices, such as which backend auto chose and why; nil drops them.
	Log func(format string, args ...any)

	kernels mlir.Kernels // that programs call on CPUs, from the environment
}

// Device is an open backend: where tensors live and programs run.
//
// Backend is what GoMLX functions take. It is a field and not embedded because GoMLX compares backends by identity: a Device
// passed in its place would be another backend than the one that owns its tensors.
type Device struct {
	Backend  compute.Backend
	platform string
	plugin   string       // path
	client   *pjrt.Client // nil on the Go backend
	ahead    *GPU         // what programs are compiled for where it is not here; else nil
	number   int          // of the device that programs without a mesh run on
}

// Compiled describes one compiled program: its sizes in bytes, how long compiling took, and whether it came from the cache.
type Compiled = pjrt.Compiled

// Work is what a compiled program computes and exchanges.
type Work = hlo.Work

// Memory is the state of one device's memory, in bytes.
type Memory = pjrt.Memory

// programCacheBytes is what compiled programs may take on disk.
const programCacheBytes = 4 << 30

// Platforms that Device.Platform returns.
const (
	PlatformCPU  = "cpu"  // XLA on the host's processor
	PlatformCUDA = "cuda" // XLA on NVIDIA GPUs
	PlatformGo   = "go"   // GoMLX's backend in pure Go: no XLA, one device, no DynamicSlice, slow
)

// Open opens the device that o asks for.
//
// A plugin is looked for at o.Platform if that is a path, then at $BFPO_PJRT_PLUGIN, in $PJRT_PLUGIN_LIBRARY_PATH, in the cache
// folder, in go-xla's own folders; then the pinned CPU wheel is fetched. Only auto falls back to the Go backend.
//
// $BFPO_KERNELS selects the kernels that programs call on CPUs, see graph/pjrt/kernels/README.md.
func Open(o Options) (*Device, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	var err error
	if o.kernels, err = mlir.KernelsFromEnvironment(); err != nil {
		return nil, err
	}
	d, err := open(o)
	if err == nil && d.NumDevices() < o.Devices {
		err = fmt.Errorf("%d devices are asked for, but platform %s has %d: fewer devices, or another platform (cpu shows any number)", o.Devices,
			d.Platform(), d.NumDevices())
		d.Close()
		return nil, err
	}
	return d, err
}

func open(o Options) (*Device, error) {
	cache, err := wheel.CacheDir(o.CacheDir)
	if err != nil {
		return nil, err
	}
	s := search{cache: cache, allowInstaller: o.AllowInstaller, log: o.Log}
	switch o.Platform {
	case "", "auto":
		return openAuto(s, o)
	case PlatformGo:
		return openGo()
	case PlatformCPU, PlatformCUDA:
		plugin, err := s.find(context.Background(), o.Platform)
		if err != nil {
			return nil, fmt.Errorf("platform %s: %w", o.Platform, err)
		}
		return openPlugin(plugin, cache, o)
	}
	plugin, err := explicitPlugin(o.Platform)
	if err != nil {
		return nil, err
	}
	return openPlugin(plugin, cache, o)
}

// openAuto takes the best platform that this machine has and says which one, and why not a better one.
func openAuto(s search, o Options) (*Device, error) {
	if kind, ok := s.environmentKind(); ok {
		plugin, err := s.find(context.Background(), kind)
		if err != nil {
			return nil, err
		}
		return openPlugin(plugin, s.cache, o)
	}
	if hasGPU() {
		d, err := openFound(s, PlatformCUDA, o)
		if err == nil {
			return d, nil
		}
		o.Log("a GPU is here but cannot be used: %v", err)
	}
	d, err := openFound(s, PlatformCPU, o)
	if err == nil {
		return d, nil
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	o.Log("using the pure Go backend, which is much slower than XLA; for XLA install Python 3 with pip, or name a plugin in %s (%.200s)", EnvPlugin, reason)
	return openGo()
}

func openFound(s search, kind string, o Options) (*Device, error) {
	plugin, err := s.find(context.Background(), kind)
	if err != nil {
		return nil, err
	}
	return openPlugin(plugin, s.cache, o)
}

func openPlugin(p plugin, cache string, o Options) (*Device, error) {
	client, err := pjrt.Open(p.path, pjrt.Options{
		Kernels: o.kernels, CPU: p.kind == PlatformCPU, Devices: o.Devices, TF32: o.TF32, Log: o.Log, Inspect: o.Inspect,
		CacheDir: filepath.Join(cache, "programs"), CacheLimit: programCacheBytes,
	})
	if err != nil {
		return nil, err
	}
	if p.kind == PlatformCUDA {
		for i := range client.Backend.NumDevices() {
			if err := checkCapability(i, client.Attribute(i, "compute_capability")); err != nil {
				client.Close()
				return nil, err
			}
		}
	}
	return &Device{Backend: client.Backend, platform: p.kind, plugin: p.path, client: client}, nil
}

// openGo opens the pure Go backend. It runs one operation at a time, each on all cores: of operations that run side by side, two matrix
// products can take all workers of its pool and then wait for each other for ever (compute v0.1.2).
func openGo() (*Device, error) {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("pure Go backend: %w", err)
	}
	return &Device{Backend: backend, platform: PlatformGo}, nil
}

// Platform returns PlatformCPU, PlatformCUDA or PlatformGo.
func (d *Device) Platform() string { return d.platform }

// Describe returns one line for people: backend, number of devices, plugin and its version.
func (d *Device) Describe() string {
	if d.client == nil {
		return "pure Go backend"
	}
	if d.ahead != nil {
		return fmt.Sprintf("XLA for %d %s (not here), %s", d.NumDevices(), d.ahead.Label, d.plugin)
	}
	return fmt.Sprintf("XLA on %d %s device(s), %s (%s)", d.NumDevices(), d.platform, d.client.Version, d.plugin)
}

// Plugin returns the path of the PJRT plugin; empty on the Go backend.
func (d *Device) Plugin() string { return d.plugin }

// Kernels describes the kernels that programs on the host's processor call and the instructions that these use, for
// people. It is empty where programs call none: on GPUs, the Go backend, and processors without AVX-512 and bfloat16.
func (d *Device) Kernels() string {
	if d.client == nil {
		return ""
	}
	return d.client.Kernels()
}

// FastBF16 reports whether products of bfloat16 matrices are faster on the device than products of float32 matrices.
func (d *Device) FastBF16() bool { return d.client != nil && d.client.FastBF16() }

// NumDevices returns the number of devices that programs can use.
func (d *Device) NumDevices() int { return d.Backend.NumDevices() }

// Compiled returns what is known of every program that was compiled on the device so far, those of other parts of GoMLX included.
// It is empty on the Go backend.
func (d *Device) Compiled() []Compiled {
	if d.client == nil {
		return nil
	}
	return d.client.Compiled()
}

// Memory returns the state of one device's memory. ok is false where the plugin does not count it: CPUs, the Go backend.
func (d *Device) Memory(device int) (m Memory, ok bool) {
	if d.ahead != nil {
		return Memory{Limit: d.ahead.Usable()}, true
	}
	if d.client == nil {
		return Memory{}, false
	}
	return d.client.Memory(device)
}

// At returns d as programs without a mesh see it that are to run on another of its devices, counted from 0. It need not be closed.
func (d *Device) At(number int) *Device {
	if number == d.number {
		return d
	}
	return &Device{Backend: d.Backend, platform: d.platform, plugin: d.plugin, client: d.client, ahead: d.ahead, number: number}
}

// Close frees the device. Programs must be closed before, and tensors on the device must not be used afterwards.
func (d *Device) Close() {
	if d.client == nil {
		d.Backend.Finalize()
		return
	}
	d.client.Close()
}

// tag returns the name under which to build one variant of a program, so that compiled finds its record.
func (d *Device) tag(name string, bf16x3 bool) string {
	switch {
	case d.client == nil:
		return name
	case bf16x3:
		return d.client.TagBF16x3(name)
	}
	return d.client.Tag(name)
}

// Ahead returns the GPU that programs are compiled for where it is not here; ok is false where they run.
func (d *Device) Ahead() (gpu GPU, ok bool) {
	if d.ahead == nil {
		return GPU{}, false
	}
	return *d.ahead, true
}

// compiled returns the record of the variant that was built under this name.
func (d *Device) compiled(tagged string) Compiled {
	if d.client == nil {
		return Compiled{}
	}
	record, _ := d.client.Take(tagged)
	return record
}
