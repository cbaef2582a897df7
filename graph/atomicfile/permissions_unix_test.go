//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPermissions(t *testing.T) {
	for mask, want := range map[int]struct{ file, folder fs.FileMode }{
		0o022: {0o644, 0o755},
		0o077: {0o600, 0o700},
		0:     {0o644, 0o755},
	} {
		dir := t.TempDir()
		file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "folder")
		before := syscall.Umask(mask)
		err := Write(file, text("x", nil))
		temp, folderErr := CreateFolder(folder)
		syscall.Umask(before)
		if err != nil || folderErr != nil {
			t.Fatal(err, folderErr)
		}
		for path, mode := range map[string]fs.FileMode{file: want.file, temp: want.folder} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("umask %03o: %s has mode %v, %v, want %v", mask, filepath.Base(path), info.Mode(), err, mode)
			}
		}
	}
}
