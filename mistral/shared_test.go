package mistral

import (
	"cmp"
	"os"
	"path/filepath"
	"testing"
)

// Shared returns the path of a file or folder of the reference material, in $BFPO_SHARED, else in the folder shared
// beside the repository; the test is skipped where it is not there.
func Shared(t testing.TB, elems ...string) string {
	t.Helper()
	root := cmp.Or(os.Getenv("BFPO_SHARED"), filepath.Join("..", "..", "shared"))
	path := filepath.Join(append([]string{root}, elems...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference material is not here: %v", err)
	}
	return path
}
