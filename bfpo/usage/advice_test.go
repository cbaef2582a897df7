package usage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAdvice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".tmp-step-2-GONE", "masters.safetensors")
	for cause, want := range map[error]string{
		syscall.ENOSPC: "free space in " + dir + ",", syscall.EDQUOT: "free space in",
		syscall.EROFS: "make the folder " + dir + " writable", syscall.EACCES: "writable",
		syscall.EMFILE: "ulimit -n", syscall.ENFILE: "ulimit -n",
	} {
		wrong := &fs.PathError{Op: "write", Path: path, Err: cause}
		err := fmt.Errorf("save checkpoint: %w", errors.Join(errors.New("first"), wrong))
		if got := Advice(err); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
	if got := Advice(syscall.ENOSPC); got != "free space, or choose another folder with -out" {
		t.Errorf("without a path: %q", got)
	}
	if got := Advice(errors.New("no such tensor")); got != "" {
		t.Errorf("another error: %q", got)
	}
}
