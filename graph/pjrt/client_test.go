//go:build cgo && linux

package pjrt

import (
	"testing"

	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/pjrt/mlir"
)

// Kernels of another version, and other kernels, give a program another key.
func TestKernelContext(t *testing.T) {
	products, both := mlir.Kernels{mlir.ProductTarget: true}, mlir.Kernels{mlir.ProductTarget: true,
		mlir.RowsTarget: true}
	contexts := []string{
		kernelContext(nil, "1"), kernelContext(products, "1"), kernelContext(products, "2"), kernelContext(both, "1"),
	}
	keys := map[string]string{}
	for _, context := range contexts {
		key := filecache.Key([]byte("module @a {}"), nil, []byte(context))
		if other, ok := keys[key]; ok {
			t.Errorf("%q and %q have the same key", context, other)
		}
		keys[key] = context
	}
	if a, b := kernelContext(nil, "1"), kernelContext(nil, "2"); a != b {
		t.Errorf("programs without kernels depend on their version: %q and %q", a, b)
	}
}
