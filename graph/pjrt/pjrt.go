// Package pjrt opens a PJRT plugin (XLA as a shared library) as a GoMLX backend, and adds what go-xla leaves out.
//
// It copies the plugin's table of functions and replaces two entries of the copy before go-xla sees it: the one
// that creates a client, to know whose programs are compiled, and the one that compiles. A program is then
// rewritten (see package mlir), looked up in a cache on disk, and recorded with its sizes.
//
// This package alone imports go-xla, which needs cgo. In a build without cgo, Open fails with an error.
package pjrt

import (
	"log/slog"

	"github.com/bfpo-go/bfpo/graph/pjrt/hlo"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// MemoryFraction is the fraction of a GPU's memory that programs may use. XLA's own default is three quarters. The
// rest is left to the driver, cuDNN and NCCL.
const MemoryFraction = 0.95

// Options are the settings of one client of a plugin.
type Options struct {
	CPU        bool         // the plugin runs on the host's processor
	Devices    int          // number of CPU devices; 0 = one
	TF32       bool         // float32 products may round their operands
	CacheDir   string       // folder of compiled programs; empty: no cache
	CacheLimit int64        // limit of the folder's size in bytes
	Kernels    mlir.Kernels // custom calls of programs, on CPUs that support them
	Log        *slog.Logger // one-line notices; may be nil
	// Inspect adds the operations of each compiled program to its record, which takes about a second for a large
	// program.
	Inspect bool
	// Target makes a CPU client build and compile programs for other devices, which need not be present. They
	// cannot run.
	Target *Target
}

// Target describes the devices that programs are compiled for ahead of time.
type Target struct {
	Plugin   string // path of the plugin that compiles
	Config   string // description of one device: XLA's GpuTargetConfigProto as text
	Topology string // slices x hosts x devices of a host, such as 1x1x8
}

// Compiled describes one compiled program.
type Compiled struct {
	Name string
	// Key is a hash of everything that the program depends on: programs with equal keys return equal bits. It is
	// empty on the Go backend.
	Key string
	// Bytes on each device: arguments, results, results in the memory of donated arguments, and temporary memory.
	// The peak is Inputs + Outputs - Aliases + Temp. All are zero on the Go backend.
	Inputs, Outputs, Aliases, Temp int64
	// Seconds is the time of compilation, or of loading if the program was Cached on disk.
	Seconds float64
	Cached  bool
	// Work lists the costly operations; nil without Options.Inspect.
	Work *hlo.Work
	// Failed is why compiling ahead of time failed; other failures are errors of the compilation itself.
	Failed error
}

// Memory is the use of one device's memory, in bytes. Limit is 0 if the plugin does not report it.
type Memory struct {
	Used, Peak, Limit int64
}
