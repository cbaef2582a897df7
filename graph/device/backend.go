package device

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"

	"github.com/bfpo-go/bfpo/graph/pjrt"
	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// Options say which device to open and how.
type Options struct {
	// Platform is auto, cpu, cuda, go, or the path of a PJRT plugin. Empty is auto: cuda if there is a GPU, else cpu,
	// else go.
	Platform string
	// Devices is the number of devices that programs run on; 0 means one. XLA can show one processor as any number of
	// devices; GPUs must be present.
	Devices int
	// TF32 lets XLA round the operands of float32 products: on NVIDIA GPUs to the 11 significant bits of TF32, on CPUs
	// as WithBF16x3 does.
	TF32 bool
	// CacheDir is the folder for plugins and compiled programs; if empty, see wheel.CacheDir.
	CacheDir string
	// AllowInstaller lets go-xla's own installer download a plugin if no other is found. Its XLA builds are not pinned,
	// so results may differ from the tested ones. $GOMLX_NO_AUTO_INSTALL overrides it.
	AllowInstaller bool
	// Inspect records in Compiled.Work what each program computes and exchanges, which takes some time.
	Inspect bool
	// Log receives one-line notices, such as which backend auto chose and why; nil discards them.
	Log *slog.Logger

	kernels mlir.Kernels // that programs call on CPUs, from the environment
}

// Device is an open backend: where tensors live and programs run.
//
// GoMLX functions take its Backend. The field is not embedded, since GoMLX compares backends by identity: a Device
// passed as a backend would not be the backend that owns its tensors.
type Device struct {
	Backend   compute.Backend
	platform  string
	plugin    string       // path
	client    *pjrt.Client // nil on the Go backend
	targetGPU *GPU         // the GPU of a compile-only device, else nil
	number    int          // of the device that programs without a mesh run on
}

// Compiled is the record of one compiled program: its sizes in bytes, the time to compile it, and whether it came from
// the cache.
type Compiled = pjrt.Compiled

// Work is what a compiled program computes and exchanges.
type Work = hlo.Work

// Memory is the state of one device's memory, in bytes.
type Memory = pjrt.Memory

// programCacheBytes limits the disk space of compiled programs.
const programCacheBytes = 4 << 30

// Open opens the device that o selects.
//
// It looks for a plugin at a path in o.Platform, at $BFPO_PJRT_PLUGIN, in $PJRT_PLUGIN_LIBRARY_PATH, in the cache
// folder, in go-xla's own folders; then the pinned CPU wheel is fetched. Only auto falls back to the Go backend.
//
// $BFPO_KERNELS selects the kernels that programs call on CPUs, see graph/pjrt/kernels/README.md.
func Open(o Options) (*Device, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if o.kernels, err = mlir.KernelsFromEnvironment(); err != nil {
		return nil, err
	}
	d, err := open(o)
	if err == nil && d.NumDevices() < o.Devices {
		err = fmt.Errorf("%d devices requested, but platform %s has %d: use fewer devices, or platform cpu, "+
			"which can show any number of them", o.Devices, d.Platform(), d.NumDevices())
		d.Close()
		return nil, err
	}
	return d, err
}

// open is Open without the check of the number of devices.
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

// openAuto opens the best platform of this machine. If a better one fails, it logs why.
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
		o.Log.Info(fmt.Sprintf("this machine has a GPU that cannot be used: %v", err))
	}
	d, err := openFound(s, PlatformCPU, o)
	if err == nil || errors.Is(err, wheel.ErrUntrusted) {
		return d, err
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	o.Log.Info(fmt.Sprintf("using the pure Go backend, which is much slower than XLA; for XLA install Python 3 with pip, "+
		"or name a plugin in %s (%.200s)", EnvPlugin, reason))
	return openGo()
}

// openFound finds a plugin of a kind and opens it.
func openFound(s search, kind string, o Options) (*Device, error) {
	plugin, err := s.find(context.Background(), kind)
	if err != nil {
		return nil, err
	}
	return openPlugin(plugin, s.cache, o)
}

// openPlugin opens a plugin, and refuses GPUs that are too old.
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

// openGo opens the pure Go backend, set to run one operation at a time, each on all cores. If it ran operations in
// parallel, two matrix products could take all workers of its pool and wait for each other forever (compute v0.1.2).
func openGo() (*Device, error) {
	backend, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("pure Go backend: %w", err)
	}
	return &Device{Backend: backend, platform: PlatformGo}, nil
}

// Platform returns PlatformCPU, PlatformCUDA or PlatformGo.
func (d *Device) Platform() string { return d.platform }

// Describe returns one line for the user: backend, number of devices, plugin and its version.
func (d *Device) Describe() string {
	if d.client == nil {
		return "pure Go backend"
	}
	if d.targetGPU != nil {
		return fmt.Sprintf("XLA for %d %s (compile only), %s", d.NumDevices(), d.targetGPU.Label, d.plugin)
	}
	return fmt.Sprintf("XLA on %d %s device(s), %s (%s)", d.NumDevices(), d.platform, d.client.Version, d.plugin)
}

// Plugin returns the path of the PJRT plugin; it is empty on the Go backend.
func (d *Device) Plugin() string { return d.plugin }

// Kernels describes the kernels that programs on the host's processor call and the instructions that these use, or why
// they call none, for people. It is empty on GPUs and the Go backend.
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

// CompiledPrograms returns the records of all programs compiled on the device so far, including programs that GoMLX
// compiled outside of this package. It is empty on the Go backend.
func (d *Device) CompiledPrograms() []Compiled {
	if d.client == nil {
		return nil
	}
	return d.client.Compiled()
}

// Memory returns the state of one device's memory. ok is false if the plugin does not report it, as for CPUs, and on
// the Go backend.
func (d *Device) Memory(device int) (m Memory, ok bool) {
	if d.targetGPU != nil {
		return Memory{Limit: d.targetGPU.UsableMemory()}, true
	}
	if d.client == nil {
		return Memory{}, false
	}
	return d.client.Memory(device)
}

// At returns a view of d whose programs without a mesh run on another of its devices, counted from 0. The view need
// not be closed.
func (d *Device) At(number int) *Device {
	if number == d.number {
		return d
	}
	return &Device{
		Backend:   d.Backend,
		platform:  d.platform,
		plugin:    d.plugin,
		client:    d.client,
		targetGPU: d.targetGPU,
		number:    number,
	}
}

// Close frees the device. Close its programs first; its tensors must not be used afterwards.
func (d *Device) Close() {
	if d.client == nil {
		d.Backend.Finalize()
		return
	}
	d.client.Close()
}

// tag returns a name for building one variant of a program by which compiled later finds its record.
func (d *Device) tag(name string, bf16x3 bool) string {
	switch {
	case d.client == nil:
		return name
	case bf16x3:
		return d.client.TagBF16x3(name)
	}
	return d.client.Tag(name)
}

// TargetGPU returns the GPU that a compile-only device compiles for; ok is false for a device that runs programs.
func (d *Device) TargetGPU() (gpu GPU, ok bool) {
	if d.targetGPU == nil {
		return GPU{}, false
	}
	return *d.targetGPU, true
}

// compiled returns the record of the variant that was built under the name that tag returned.
func (d *Device) compiled(tagged string) Compiled {
	if d.client == nil {
		return Compiled{}
	}
	record, _ := d.client.Take(tagged)
	return record
}
