//go:build cgo && linux

package pjrt

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

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

// kernelContext returns what the results of custom calls depend on: the version of the kernels, and which of them
// programs call. It is empty if programs call none.
func kernelContext(called mlir.Kernels, version string) string {
	if len(called) == 0 {
		return ""
	}
	return fmt.Sprintf("kernels %s %q", version, slices.Sorted(maps.Keys(called)))
}
