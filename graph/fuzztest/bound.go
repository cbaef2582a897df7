// Package fuzztest bounds what fuzz targets may spend on one input. It is for tests only.
package fuzztest

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// slack is what any input may take besides twice its own size.
const slack = 64 << 20

// Bounded calls read, which reads an input of size bytes, and fails the test if it allocates more than 2 size + 64 MiB,
// garbage included, or takes longer than limit, on a busy machine with the fuzzer's instrumentation.
func Bounded(t *testing.T, size int, limit time.Duration, read func()) {
	t.Helper()
	used, elapsed := spend(read)
	if used > memory(size) {
		t.Fatalf("%d bytes of input made the program allocate %d", size, used)
	}
	if elapsed > limit {
		t.Fatalf("%d bytes of input took %s", size, elapsed)
	}
}

// BoundedLive is Bounded for readers that make more garbage than that, such as decompressors, which take new buffers
// for every file: 2 size + 64 MiB bounds the memory that is in use at a time, and all allocations together may be
// 400 size + 256 MiB. It calls read a second time where the first call allocates more than Bounded allows; only then is
// what is in use measured. What is held for less than some ten milliseconds may escape this measurement.
func BoundedLive(t *testing.T, size int, limit time.Duration, read func()) {
	t.Helper()
	used, elapsed := spend(read)
	if used > 400*uint64(size)+4*slack {
		t.Fatalf("%d bytes of input made the program allocate %d", size, used)
	}
	if elapsed > limit {
		t.Fatalf("%d bytes of input took %s", size, elapsed)
	}
	if used <= memory(size) {
		return // then no more is in use either
	}
	if live := peak(read); live > memory(size) {
		t.Fatalf("%d bytes of input made the program hold %d", size, live)
	}
}

// memory is the bound for an input of size bytes.
func memory(size int) uint64 { return 2*uint64(size) + slack }

// spend calls read and returns the bytes that it allocates and the time that it takes.
func spend(read func()) (allocated uint64, elapsed time.Duration) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	started := time.Now()
	read()
	elapsed = time.Since(started)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, elapsed
}

// peak calls read while garbage is collected again and again, and returns by how much the heap in use grows at most.
// On more than one processor read could litter the heap during a collection, which counts new objects as in use.
func peak(read func()) (most uint64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	base := live()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			started := time.Now()
			most = max(most, live())
			select {
			case <-stop:
				return
			case <-time.After(time.Since(started)): // half of the time is left to read
			}
		}
	}()
	read()
	close(stop)
	<-stopped
	return most - min(base, most)
}

// live collects garbage and returns the bytes that remain.
func live() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
