// Package graphtest opens devices for tests: to run programs on this machine, or to compile them for GPUs. A test is
// skipped if its device cannot be had here; it fails if a device is broken. The package also makes and compares
// tensors.
//
// Only tests import it.
package graphtest

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// Both devices live as long as the test process, so the tests of a package open XLA only once.
var (
	best   = sync.OnceValues(func() (*device.Device, error) { return device.Open(device.Options{}) })
	pureGo = sync.OnceValues(func() (*device.Device, error) {
		return device.Open(device.Options{Platform: device.PlatformGo})
	})
)

// Device returns the best device of this machine: XLA, else the pure Go backend. All tests of the process share it.
func Device(t testing.TB) *device.Device {
	t.Helper()
	d, err := best()
	if err != nil {
		t.Fatalf("open a device: %v", err)
	}
	return d
}

// GoDevice returns the pure Go backend, which lacks DynamicSlice, DynamicUpdateSlice and collectives. All tests of the
// process share it.
func GoDevice(t testing.TB) *device.Device {
	t.Helper()
	d, err := pureGo()
	if err != nil {
		t.Fatalf("open the Go backend: %v", err)
	}
	return d
}

// CPUDevices opens n CPU devices of XLA, for programs on a mesh, and closes them at the end of the test. It skips the
// test if the device of this machine is not XLA on the CPU.
func CPUDevices(t testing.TB, n int) *device.Device {
	t.Helper()
	shared := Device(t)
	if shared.Platform() != device.PlatformCPU {
		t.Skipf("platform %s does not show a processor as %d devices", shared.Platform(), n)
	}
	d, err := device.Open(device.Options{Platform: shared.Plugin(), Devices: n, Inspect: true, Log: Log(t)})
	if err != nil {
		t.Fatalf("open %d devices: %v", n, err)
	}
	t.Cleanup(d.Close)
	return d
}

// compileOnly holds the devices that CompileOnlyGPUs opened, by model and number.
var compileOnly sync.Map

// CompileOnlyGPUs returns a device that compiles for n GPUs of a model, which need not be present (see
// device.OpenCompileOnly). It skips the test in a build without XLA, and if no package
// index can be reached for the compiler's wheels. All tests of the process share it.
func CompileOnlyGPUs(t testing.TB, name string, n int) *device.Device {
	t.Helper()
	if testing.Short() {
		t.Skip("compiling for GPUs downloads 250 MB once: skipped in short mode")
	}
	XLA(t)
	open, _ := compileOnly.LoadOrStore(fmt.Sprint(name, n), sync.OnceValues(func() (*device.Device, error) {
		gpu, err := device.FindGPU(name)
		if err != nil {
			return nil, err
		}
		return device.OpenCompileOnly(gpu, device.Options{Devices: n})
	}))
	d, err := open.(func() (*device.Device, error))()
	if errors.Is(err, wheel.ErrDownload) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("open the compiler for %s: %v", name, err)
	}
	return d
}

// XLA returns the XLA device of this machine, and skips the test if there is only the pure Go backend.
func XLA(t testing.TB) *device.Device {
	t.Helper()
	d := Device(t)
	if d.Platform() == device.PlatformGo {
		t.Skip("no XLA plugin on this machine")
	}
	return d
}

// OnEachBackend runs a test on XLA and on the pure Go backend.
func OnEachBackend(t *testing.T, test func(t *testing.T, d *device.Device)) {
	t.Run("xla", func(t *testing.T) { test(t, XLA(t)) })
	t.Run("go", func(t *testing.T) { test(t, GoDevice(t)) })
}

// OpenXLA opens a new XLA device with its own cache folder. The caller closes it.
func OpenXLA(t *testing.T, cache string, devices int) *device.Device {
	t.Helper()
	d, err := device.Open(device.Options{Platform: XLA(t).Plugin(), CacheDir: cache, Devices: devices, Log: Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Log returns a logger that writes into the test's log.
func Log(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }
