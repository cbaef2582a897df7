package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ReadLimited reads a regular file of at most limit bytes. It refuses devices and pipes, which could block or never
// end, and larger files.
func ReadLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if wrong, ok := errors.AsType[*fs.PathError](err); ok {
		wrong.Op = "open"
	}
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info, limit); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readLimited(path, file, limit)
}

// ReadLimitedFS reads a file of a file system as ReadLimited does.
func ReadLimitedFS(files fs.FS, path string, limit int64) ([]byte, error) {
	info, err := fs.Stat(files, path)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info, limit); err != nil {
		return nil, err
	}
	file, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readLimited(path, file, limit)
}

func checkRegular(path string, info fs.FileInfo, limit int64) error {
	switch {
	case info.IsDir():
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("is a folder, not a file")}
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("is no regular file")}
	case info.Size() > limit:
		return &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has %d bytes, more than the %d allowed here",
			info.Size(), limit)}
	}
	return nil
}

func readLimited(path string, file io.Reader, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("has more than the %d bytes allowed here", limit)}
	}
	return text, err
}

// OpenUpdate opens a file for reading and writing in place, with the additional flags of os.OpenFile. It refuses a
// symbolic link, which would lead the writes elsewhere, and anything else that is not a regular file.
func OpenUpdate(path string, flags int) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "write", Path: path, Err: errors.New("is a link or no regular file; remove it")}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|flags, 0o644)
}
