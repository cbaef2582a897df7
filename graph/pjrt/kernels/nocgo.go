//go:build !(cgo && linux)

package kernels

func compilerVersion() string { return "none" }

// Available returns false: kernels need a build with cgo on Linux.
func Available() bool { return false }

// ProductAvailable returns false.
func ProductAvailable() bool { return false }

// AMX returns false.
func AMX() bool { return false }

// FastBF16 returns false.
func FastBF16() bool { return false }

// Instructions returns "none".
func Instructions() string { return "none" }
