package fuzztest

import (
	"testing"
	"time"
)

// TestPeak checks that garbage is not counted, and that what is held for a while is.
func TestPeak(t *testing.T) {
	var held [][]byte
	litter := func(mebibytes int) {
		for range mebibytes {
			held = append(held[:0], make([]byte, 1<<20))
		}
	}
	for _, test := range []struct {
		name        string
		read        func()
		least, most uint64 // MiB
	}{
		{"nothing", func() {}, 0, 1},
		{"garbage", func() { litter(1000) }, 0, 40},
		{"held for a while", func() {
			kept := make([][]byte, 100)
			for i := range kept {
				kept[i] = make([]byte, 1<<20)
			}
			time.Sleep(100 * time.Millisecond)
			clear(kept)
		}, 99, 120},
	} {
		if got := peak(test.read) >> 20; got < test.least || got > test.most {
			t.Errorf("%s: %d MiB, want %d to %d", test.name, got, test.least, test.most)
		}
	}
}
