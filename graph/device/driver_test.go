package device

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkGPU names what is missing, in one line: the device file, then the library, then a new enough driver.
func TestCheckGPU(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "")
	root := t.TempDir()
	expect := func(want ...string) {
		t.Helper()
		err := checkGPU(root)
		for _, text := range want {
			if err == nil || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, text)
			}
		}
		if len(want) == 0 && err != nil {
			t.Error(err)
		}
	}
	touch(t, root, "dev", "nvidiactl") // this file stays when a GPU drops off the bus
	expect("no NVIDIA GPU", "/dev/nvidia[0-9]*", "-platform=cpu", "bfpo plan")
	touch(t, root, "dev", "nvidia0")
	expect("/dev/nvidia0", "libcuda.so.1", "/usr/lib/x86_64-linux-gnu", "580", "--gpus=all")
	folder := filepath.Join("opt", "driver")
	t.Setenv("LD_LIBRARY_PATH", folder)
	touch(t, root, folder, "libcuda.so.1")
	expect()
	version := touch(t, root, driverVersion)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(version, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\n" +
		"GCC version:  gcc 11.4.0\n")
	expect("version 535", "needs 580", "update the driver")
	write("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n")
	expect()
	write("something else\n")
	expect()
}

func TestCheckCapability(t *testing.T) {
	for _, text := range []string{"8.0", "9.0", "12.1", ""} {
		if err := checkCapability(0, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"7.5", "6.1"} {
		err := checkCapability(1, text)
		if err == nil || !strings.Contains(err.Error(), "GPU 1 has compute capability "+text) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
