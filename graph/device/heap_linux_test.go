package device_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// TestScratchMemory runs a program with 128 MiB of scratch memory: it is to get no new pages from the system once it has run, and to give them back
// when it is closed.
func TestScratchMemory(t *testing.T) {
	d := graphtest.XLA(t)
	if d.Platform() != device.PlatformCPU {
		t.Skip("about the memory of the host")
	}
	const rows, columns = 4096, 8192
	a, b := constants(t, d, 1, rows, 1)[0], constants(t, d, 1, columns, 2)[0]
	p := device.NewProgram(d, "scratch", func(in [][]*Node) [][]*Node {
		x := Dot(Reshape(in[0][0], rows, 1), Reshape(in[0][1], 1, columns)).General([]int{1}, nil, []int{0}, nil) // [rows, columns]
		return [][]*Node{{ReduceAllMax(OptimizationBarriers(x)[0])}}
	})
	sizes, err := p.Compile([]shapes.Shape{shapes.Make(dtypes.Float32, rows), shapes.Make(dtypes.Float32, columns)})
	if err != nil {
		t.Fatal(err)
	}
	if sizes.Temp < rows*columns*4 {
		t.Fatalf("the program takes %d bytes of scratch memory, so this tests nothing", sizes.Temp)
	}
	run := func() {
		out, err := p.Run(device.Group{{a, b}})
		if err != nil {
			t.Fatal(err)
		}
		if most := tensors.ToScalar[float32](out[0][0][0]); most != 2 {
			t.Errorf("largest number %v, want 2", most)
		}
	}
	for range 3 { // the first one is cold
		run()
	}
	before := faults(t)
	for range 5 {
		run()
	}
	if n := faults(t) - before; n > 200 { // 320 huge pages or 163840 small ones
		t.Errorf("%d pages from the system in 5 runs", n)
	}
	open, freed := resident(t), 0
	p.Close()
	for end := time.Now().Add(5 * time.Second); freed < rows*columns*4*9/10; { // scratch memory is free a moment after the results are there
		if time.Now().After(end) {
			t.Fatalf("%d bytes went back to the system with the program, of %d", freed, sizes.Temp)
		}
		freed = open - resident(t)
	}
}

// faults is how many pages the process has got so far without reading from a disk.
func faults(t *testing.T) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return usage.Minflt
}

// resident is how much memory the process has, in bytes.
func resident(t *testing.T) int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
