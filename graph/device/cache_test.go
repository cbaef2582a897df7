package device_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// deep is a chain of products that takes XLA a moment to compile.
func deep(in [][]*Node) [][]*Node {
	x := in[0][0]
	for range 24 {
		x = Tanh(Dot(x, in[1][0]).Product())
	}
	return [][]*Node{{Add(in[0][0], x)}}
}

// runDeep compiles and runs deep on a new device, as a new process would, and returns the record of the program.
func runDeep(t *testing.T, cache string) device.Compiled {
	t.Helper()
	d := graphtest.OpenXLA(t, cache, 1)
	defer d.Close()
	p := device.NewProgram(d, "deep", deep, 0)
	defer p.Close()
	shape := shapes.Make(dtypes.Float32, 64, 64)
	info, err := p.Compile([]shapes.Shape{shape}, []shapes.Shape{shape})
	if err != nil {
		t.Fatal(err)
	}
	state := tensors.FromScalarAndDimensions(float32(0.5), 64, 64)
	weight := tensors.FromScalarAndDimensions(float32(0), 64, 64)
	results, err := p.Call([]*tensors.Tensor{state}, []*tensors.Tensor{weight})
	if err != nil {
		t.Fatal(err)
	}
	if got := graphtest.Floats(t, results[0][0])[0]; got != 0.5 {
		t.Errorf("result %v, want 0.5", got)
	}
	if info.Aliases != shape.ByteSize() {
		t.Errorf("aliases %d, want %d: %+v", info.Aliases, shape.ByteSize(), info)
	}
	results[0][0].MustFinalizeAll()
	weight.MustFinalizeAll()
	return info
}

func TestCompileCache(t *testing.T) {
	dir := t.TempDir()
	cold := runDeep(t, dir)
	warm := runDeep(t, dir)
	if cold.Cached || !warm.Cached {
		t.Errorf("first run cached: %v, second run: %v, want false, true", cold.Cached, warm.Cached)
	}
	t.Logf("compiled in %.3f s, loaded in %.3f s", cold.Seconds, warm.Seconds)
	cold.Seconds, cold.Cached, warm.Seconds = 0, true, 0
	if cold != warm {
		t.Errorf("records differ: compiled %+v, loaded %+v", cold, warm)
	}

	entry := cacheEntry(t, dir)
	content, err := os.ReadFile(entry)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"empty":                          {},
		"truncated":                      content[:len(content)/2],
		"one bit changed":                flipBit(content),
		"another format":                 []byte("something else altogether"),
		"valid checksum, but no program": makeEntry("not a compiled program"),
	} {
		if err := os.WriteFile(entry, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if info := runDeep(t, dir); info.Cached {
			t.Errorf("%s: a damaged entry was used", name)
		}
		if info := runDeep(t, dir); !info.Cached {
			t.Errorf("%s: the entry was not replaced", name)
		}
	}
}

// makeEntry returns a valid cache file with this content.
func makeEntry(content string) []byte {
	sum := sha256.Sum256([]byte(content))
	return slices.Concat([]byte("bfpo compiled program 1\n"), sum[:], []byte(content))
}

// flipBit returns a copy of content with one bit changed.
func flipBit(content []byte) []byte {
	changed := append([]byte(nil), content...)
	changed[len(changed)*3/4] ^= 1
	return changed
}

// cacheEntry returns the path of the only entry in the cache folder dir.
func cacheEntry(t *testing.T, dir string) string {
	t.Helper()
	entries, err := filepath.Glob(filepath.Join(dir, "programs", "*.xla"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries in the cache (%v), want 1", len(entries), err)
	}
	return entries[0]
}

// Several programs, and one program for several shapes, can be compiled and called at once.
func TestCompileParallel(t *testing.T) {
	d := graphtest.OpenXLA(t, t.TempDir(), 1)
	defer d.Close()
	const programs, sizes = 3, 4
	var wg sync.WaitGroup
	for i := range programs {
		p := device.NewProgram(d, fmt.Sprintf("scale_%d", i), func(in [][]*Node) [][]*Node {
			return [][]*Node{{MulScalar(in[0][0], float64(i))}}
		}, 0)
		defer p.Close()
		for range 2 { // the same shapes twice
			for n := 1; n <= sizes; n++ {
				wg.Go(func() {
					info, err := p.Compile([]shapes.Shape{shapes.Make(dtypes.Float32, n)})
					if err != nil || info.Inputs != int64(4*n) || info.Name != fmt.Sprintf("scale_%d", i) {
						t.Errorf("program %d, size %d: %+v, %v", i, n, info, err)
					}
					results, err := p.Call([]*tensors.Tensor{tensors.FromScalarAndDimensions(float32(n), n)})
					if err != nil {
						t.Error(err)
					} else if got := tensors.MustCopyFlatData[float32](results[0][0])[0]; got != float32(n*i) {
						t.Errorf("program %d, size %d: %v", i, n, got)
					}
				})
			}
		}
	}
	wg.Wait()
	if got := len(d.CompiledPrograms()); got != programs*sizes {
		t.Errorf("%d programs compiled, want %d: one for each shape", got, programs*sizes)
	}
}

func TestProgramErrors(t *testing.T) {
	graphtest.OnEachBackend(t, func(t *testing.T, d *device.Device) {
		p := device.NewProgram(d, "sum", func(in [][]*Node) [][]*Node {
			return [][]*Node{{Add(in[0][0], in[1][0])}}
		}, 0)
		defer p.Close()
		pair := func(n int) []*tensors.Tensor {
			return []*tensors.Tensor{tensors.FromScalarAndDimensions(float32(1), n)}
		}
		state := pair(2)
		if _, err := p.Call(state, pair(3)); err == nil || !strings.Contains(err.Error(), "program sum") {
			t.Errorf("incompatible shapes: error %v", err)
		}
		if !state[0].Ok() {
			t.Error("an error before execution consumed a donated tensor")
		}
		results, err := p.Call(state, pair(2))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Call(state, pair(2)); err == nil || !strings.Contains(err.Error(), "group 0, tensor 0") {
			t.Errorf("a tensor that was consumed before: error %v", err)
		}
		same := results[0]
		if _, err := p.Call(same, same); err == nil {
			t.Error("one tensor in a donated and in a kept group: no error")
		}
	})
}
