package safetensors

import "syscall"

// releasePages removes the pages of a mapped file from the process.
func releasePages(mapping []byte) {
	if len(mapping) > 0 {
		_ = syscall.Madvise(mapping, syscall.MADV_DONTNEED) // on an error the pages stay until the system needs the memory
	}
}
