//go:build !linux

package main

// takeHugePages does nothing: only Linux is known to leave them to programs.
func takeHugePages() {}
