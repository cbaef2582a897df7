package device

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where NVIDIA's driver shows its devices and its version, and the oldest version that works.
const (
	gpuFiles      = "/dev/nvidia[0-9]*" // one for each GPU
	driverVersion = "/proc/driver/nvidia/version"
	minDriver     = 580 // required by CUDA 13
)

// driverLibraries returns the paths where the driver's library may be: in the folders of $LD_LIBRARY_PATH and in the
// folders of common distributions and containers.
func driverLibraries() []string {
	paths := []string{
		"/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib64/libcuda.so.1", "/usr/lib/libcuda.so.1",
		"/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/cuda/compat/libcuda.so.1",
		"/run/opengl-driver/lib/libcuda.so.1",
	}
	for _, folder := range filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")) {
		paths = append(paths, filepath.Join(folder, "libcuda.so.1"))
	}
	return paths
}

// checkGPU returns an error if something is missing for running on a GPU; the error names what was looked for and what
// to do. The files are looked for below root.
func checkGPU(root string) error {
	devices, _ := filepath.Glob(filepath.Join(root, gpuFiles)) // the pattern is well-formed
	if len(devices) == 0 {
		return fmt.Errorf("no NVIDIA GPU on this machine: no device file %s (a container needs --gpus=all); "+
			"run with -platform=cpu, or see what a GPU would need with `bfpo plan -platform=cuda -gpu=h100`", gpuFiles)
	}
	libraries := driverLibraries()
	found := slices.ContainsFunc(libraries, func(path string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err == nil
	})
	if !found {
		return fmt.Errorf("this machine has a GPU (%s) but not its driver's library: no %s; "+
			"install NVIDIA's driver %d or newer "+
			"(a container needs --gpus=all and NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
			devices[0], strings.Join(libraries, ", "), minDriver)
	}
	text, err := os.ReadFile(filepath.Join(root, driverVersion))
	if err != nil {
		return nil // some containers hide this file; the plugin then reports an unusable driver itself
	}
	if version := driverMajor(string(text)); version > 0 && version < minDriver {
		return fmt.Errorf("this machine's NVIDIA driver is version %d (%s), CUDA 13 needs %d or newer: "+
			"update the driver", version, driverVersion, minDriver)
	}
	return nil
}

// driverMajor returns the driver's major version from "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  …",
// or 0 if there is none.
func driverMajor(text string) int {
	line, _, _ := strings.Cut(text, "\n")
	for _, word := range strings.Fields(line) {
		major, minor, ok := strings.Cut(word, ".")
		if n, err := strconv.Atoi(major); ok && err == nil && n >= 100 && minor != "" {
			return n
		}
	}
	return 0
}

// checkCapability returns an error for a GPU that cannot multiply bfloat16. text is its compute capability, such as
// 9.0, or empty if the plugin does not report it.
func checkCapability(device int, text string) error {
	major, _, _ := strings.Cut(text, ".")
	if n, err := strconv.Atoi(major); err != nil || n >= 8 {
		return nil
	}
	return fmt.Errorf("GPU %d has compute capability %s; bfloat16 products and cuDNN's attention need 8.0 "+
		"(A100, RTX 30) or newer: choose another GPU with CUDA_VISIBLE_DEVICES, or run with -platform=cpu",
		device, text)
}

// hasGPU reports whether this machine has a GPU, usable or not.
func hasGPU() bool {
	files, err := filepath.Glob(gpuFiles)
	return err == nil && len(files) > 0
}
