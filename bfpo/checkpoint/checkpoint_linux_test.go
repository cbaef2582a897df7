package checkpoint

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(disk, "checkpoints")
	save(t, dir, 1)
	big := File{"masters.safetensors", func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
		return err
	}}
	if _, err := Save(dir, 2, []File{big}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("saved 1 MiB on 256 KiB: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if c, err := Latest(dir, logger(t.Error)); err != nil || c.Step != 1 {
		t.Error(c, err)
	}
	save(t, dir, 2) // the failed save has freed its space
}
