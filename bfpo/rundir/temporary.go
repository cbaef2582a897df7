package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// RemoveTemporary removes what a killed process left under temporary names in dir and in the folders below. Call it
// only if no other process writes there. A missing folder is no error.
func RemoveTemporary(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == dir || !strings.HasPrefix(d.Name(), atomicfile.TemporaryPrefix):
			return nil
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("output folder: %w", err)
	}
	return nil
}
