// Package device opens the devices that graph functions run on, and compiles and runs programs there.
//
// A Device is an XLA backend of GoMLX (through graph/pjrt) or GoMLX's backend in pure Go. A Program compiles a graph
// function for the shapes of its arguments and runs it on one device or on the devices of a Mesh; it donates memory and
// shards tensors. A TensorSet holds named tensors that live on a device.
//
// The package finds PJRT plugins on the machine and can download pinned ones (graph/wheel). It can also compile for
// GPUs that are not present, see OpenCompileOnly. It knows no model.
// Problems of the machine (no plugin, an old driver, an old GPU) are errors that name what was looked for and what to
// do.
package device
