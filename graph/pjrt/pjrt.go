// Package pjrt opens a PJRT plugin (XLA as a shared library) as a GoMLX backend, and adds to it what go-xla leaves out.
//
// The plugin's table of functions is copied and three entries of the copy are replaced before go-xla sees it: creating a client
// (to know whose programs are compiled) and compiling. A program then gets its donated arguments marked, so that XLA updates them
// in place; on CPUs, products of matrices and attention as package kernels computes them, or at least products of bfloat16 in bfloat16
// instructions; a place in a cache on disk; and a record of its sizes.
// Whatever of that fails, the program is compiled as it came.
//
// It is the only package that imports go-xla and, with it, cgo; built without cgo its Open fails and says so.
package pjrt

// DonatedPrefix begins the names of the parameters whose buffers XLA may reuse for results. Only parameters that every call donates
// should have it: XLA pairs a donor with a result when it compiles, and must copy the donor when a call keeps it.
const DonatedPrefix = "donated_"

// MemoryFraction is the part of a GPU's memory that programs may take. By itself XLA stops at three quarters, in silence; what is left here
// is for the driver, cuDNN and NCCL.
const MemoryFraction = 0.95

// Options are the settings of one client of a plugin.
type Options struct {
	CPU        bool                             // the plugin runs on the host's processor
	Devices    int                              // number of CPU devices; 0 = one
	TF32       bool                             // float32 products may be of rounded numbers
	CacheDir   string                           // folder of compiled programs; empty: none are kept
	CacheLimit int64                            // bytes that the folder may take
	Kernels    Kernels                          // that programs call on CPUs that have what they need
	Log        func(format string, args ...any) // one-line notices; may be nil
	// Inspect lists the operations of each compiled program in its record, which takes a second for a large one.
	Inspect bool
	// Target lets the programs of a CPU client be built and compiled for devices that are not here. They cannot run.
	Target *Target
}

// Target describes the devices that programs are compiled for ahead of time.
type Target struct {
	Plugin   string // path of the plugin that compiles
	Config   string // of one device: XLA's GpuTargetConfigProto as text
	Topology string // slices x hosts x devices of a host, such as 1x1x8
}

// Compiled describes one compiled program.
type Compiled struct {
	Name string
	// Key names all that the program was compiled from: programs of one key compute the same, to the last bit. Empty on the Go backend.
	Key string
	// Bytes on each device: arguments, results, the part of the results that lies in donated arguments, and scratch memory.
	// The peak is Inputs + Outputs - Aliases + Temp. They are zero on the Go backend, which does not know them.
	Inputs, Outputs, Aliases, Temp int64
	// Seconds that compiling took, or loading when Cached: the program came from the cache on disk.
	Seconds float64
	Cached  bool
	// Work is what it computes and exchanges; nil unless Options.Inspect.
	Work *Work
	// Failed is why compiling ahead of time failed; other failures are errors of the compilation itself.
	Failed error
}

// Memory is the state of one device's memory, in bytes. Limit is 0 where the plugin does not tell it.
type Memory struct {
	Used, Peak, Limit int64
}
