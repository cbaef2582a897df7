// Package fuzztest bounds what fuzz targets may spend on one input. It is for tests only.
package fuzztest

import (
	"runtime"
	"testing"
	"time"
)

// slack is what any input may allocate besides twice its own size.
const slack = 64 << 20

// seconds is what reading one input may take, on a busy machine with the fuzzer's instrumentation.
const seconds = 10

// Bounded calls read, which reads an input of size bytes, and fails the test if it allocates more than 2 size + 64 MiB,
// garbage included, or takes longer than ten seconds.
func Bounded(t *testing.T, size int, read func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := time.Now()
	read()
	elapsed := time.Since(started)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(2*size+slack) {
		t.Fatalf("%d bytes of input made the program allocate %d", size, used)
	}
	if elapsed > seconds*time.Second {
		t.Fatalf("%d bytes of input took %s", size, elapsed)
	}
}
