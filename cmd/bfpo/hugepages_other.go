//go:build !(linux && cgo)

package main

// takeHugePages does nothing: only the C library of Linux can be told.
func takeHugePages() {}
