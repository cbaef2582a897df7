//go:build !cgo || !linux

package amx

// Available tells that there is no AMX: only builds with cgo on Linux use it.
func Available() bool { return false }
