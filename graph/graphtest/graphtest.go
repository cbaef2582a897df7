// Package graphtest gives tests a device to run on, or to compile for.
package graphtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/bfpo-go/bfpo/graph/device"
)

// Both devices live as long as the test process, so that a package's tests open XLA once.
var (
	automatic = sync.OnceValues(func() (*device.Device, error) { return device.Open(device.Options{}) })
	pureGo    = sync.OnceValues(func() (*device.Device, error) { return device.Open(device.Options{Platform: device.PlatformGo}) })
)

// Device returns the best device of this machine: XLA, else the pure Go backend. It is shared by all tests of the process.
func Device(t testing.TB) *device.Device {
	t.Helper()
	d, err := automatic()
	if err != nil {
		t.Fatalf("open a device: %v", err)
	}
	return d
}

// GoDevice returns the pure Go backend, which has no DynamicSlice, no DynamicUpdateSlice and no collectives.
func GoDevice(t testing.TB) *device.Device {
	t.Helper()
	d, err := pureGo()
	if err != nil {
		t.Fatalf("open the Go backend: %v", err)
	}
	return d
}

// Devices returns so many CPU devices of XLA, for programs on a mesh, or skips where there is no such plugin. They are closed with the test.
func Devices(t testing.TB, n int) *device.Device {
	t.Helper()
	shared := Device(t)
	if shared.Platform() != device.PlatformCPU {
		t.Skipf("platform %s cannot show %d devices", shared.Platform(), n)
	}
	d, err := device.Open(device.Options{Platform: shared.Plugin(), Devices: n, Inspect: true, Log: t.Logf})
	if err != nil {
		t.Fatalf("open %d devices: %v", n, err)
	}
	t.Cleanup(d.Close)
	return d
}

// ahead are the devices that GPUs returned, by kind and number.
var ahead sync.Map

// GPUs returns a device whose programs are compiled for so many GPUs of a kind, which need not be here (see graph.OpenFor); the test is
// skipped where the compiler's wheels cannot be had. It is shared by all tests of the process.
func GPUs(t testing.TB, name string, n int) *device.Device {
	t.Helper()
	if testing.Short() {
		t.Skip("compiling for GPUs fetches 250 MB once: not in short tests")
	}
	open, _ := ahead.LoadOrStore(fmt.Sprint(name, n), sync.OnceValues(func() (*device.Device, error) {
		gpu, err := device.FindGPU(name)
		if err != nil {
			return nil, err
		}
		return device.OpenFor(gpu, device.Options{Devices: n})
	}))
	d, err := open.(func() (*device.Device, error))()
	if err != nil {
		t.Skipf("no compiler for GPUs: %v", err)
	}
	return d
}

// XLA returns the best device of this machine, and skips the test where that is the pure Go backend.
func XLA(t testing.TB) *device.Device {
	t.Helper()
	d := Device(t)
	if d.Platform() == device.PlatformGo {
		t.Skip("no XLA plugin on this machine")
	}
	return d
}

// Each runs a test on XLA and on the pure Go backend.
func Each(t *testing.T, test func(t *testing.T, d *device.Device)) {
	t.Run("xla", func(t *testing.T) { test(t, XLA(t)) })
	t.Run("go", func(t *testing.T) { test(t, GoDevice(t)) })
}

// OpenXLA opens a device of the test's own on the plugin of XLA, with the given cache folder for programs. The caller closes it.
func OpenXLA(t *testing.T, cache string, devices int) *device.Device {
	t.Helper()
	d, err := device.Open(device.Options{Platform: XLA(t).Plugin(), CacheDir: cache, Devices: devices, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
