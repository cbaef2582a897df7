//go:build !cgo || !linux

package kernels

// Available tells that nothing can be called: that needs a build with cgo on Linux.
func Available() bool { return false }
