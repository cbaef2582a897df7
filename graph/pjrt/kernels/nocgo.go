//go:build !cgo || !linux

package kernels

func compilerVersion() string { return "none" }

// Available tells that nothing can be called: that needs a build with cgo on Linux.
func Available() bool { return false }

// Tiles tells that there is no AMX to be used.
func Tiles() bool { return false }
