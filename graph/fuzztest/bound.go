// Package fuzztest bounds what fuzz targets may spend on one input. It is for tests only.
package fuzztest

import (
	"runtime"
	"testing"
	"time"
)

// slack is what any input may allocate besides twice its own size.
const slack = 64 << 20

// Bounded calls read, which reads an input of size bytes, and fails the test if it allocates more than 2 size + 64 MiB,
// garbage included, or takes longer than limit, on a busy machine with the fuzzer's instrumentation.
func Bounded(t *testing.T, size int, limit time.Duration, read func()) {
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
	if elapsed > limit {
		t.Fatalf("%d bytes of input took %s", size, elapsed)
	}
}
