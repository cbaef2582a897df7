package usage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Advice returns what to do about an error of the machine, such as a full disk, or "" if there is nothing to say. It
// names the folder if the error does. Nothing that was complete before is lost by such an error: files are written
// under temporary names first.
func Advice(err error) string {
	where, in := "", ""
	if wrong, ok := errors.AsType[*fs.PathError](err); ok && wrong.Path != "" {
		where = " " + existingFolder(filepath.Dir(wrong.Path))
		in = " in" + where
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("free space%s, or choose another folder with -out", in)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("make the folder%s writable, or choose another one with -out", where)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return "allow more open files: ulimit -n 1024"
	}
	return ""
}

// existingFolder returns dir, or the nearest folder above it that exists: a temporary folder is gone by now.
func existingFolder(dir string) string {
	for {
		above := filepath.Dir(dir)
		if _, err := os.Stat(dir); err == nil || above == dir {
			return dir
		}
		dir = above
	}
}
