package mistral

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// Shared returns the path of a file or folder of the reference material, which is in $BFPO_SHARED or else in the
// folder shared next to the repository. It skips the test if the material is missing.
func Shared(t testing.TB, elems ...string) string {
	t.Helper()
	root := cmp.Or(os.Getenv("BFPO_SHARED"), filepath.Join("..", "..", "shared"))
	path := filepath.Join(append([]string{root}, elems...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference material is missing: %v", err)
	}
	return path
}
