package safetensors

import "syscall"

// forget takes the pages of a mapped file out of the process.
func forget(mapping []byte) {
	if len(mapping) > 0 {
		_ = syscall.Madvise(mapping, syscall.MADV_DONTNEED) // else they stay until the system wants them
	}
}
