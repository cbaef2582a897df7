//go:build cgo

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	// heapSettings is what glibc takes its settings from, once, when a process starts.
	heapSettings = "GLIBC_TUNABLES"
	hugeBlocks   = "glibc.malloc.hugetlb=1"
	// restarted marks the second start. The system takes heapSettings from a program with rights of its own.
	restarted = "BFPO_RESTARTED"
)

// takeHugePages starts the program again with large blocks of memory in huge pages, where the system leaves that to programs: a step goes through
// hundreds of megabytes, of which the system would make pages of 4 KiB. Settings of the user's stay.
func takeHugePages() {
	for _, name := range []string{heapSettings, restarted} {
		if _, set := os.LookupEnv(name); set {
			return
		}
	}
	modes, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || !strings.Contains(string(modes), "[madvise]") {
		return
	}
	program, err := os.Executable()
	if err != nil || filepath.Base(program) != filepath.Base(os.Args[0]) { // as where a loader was given the program
		return
	}
	// It comes back only when it failed, and then the pages stay small.
	_ = syscall.Exec(program, os.Args, append(os.Environ(), heapSettings+"="+hugeBlocks, restarted+"=1"))
}
