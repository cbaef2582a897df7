package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// lockName is the file that a process locks while it writes to an output folder.
const lockName = ".bfpo-lock"

// lockTries bounds how often Lock starts anew because another process removed the file in between.
const lockTries = 100

// Lock keeps other processes from writing to the existing folder dir until unlock is called or the process ends. A
// folder that another process has locked is a *usage.Error.
func Lock(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockName)
	for range lockTries {
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return nil, usage.Errorf("output folder: %s is a link or no regular file; remove it", path)
		}
		lock := flock.New(path)
		locked, err := lock.TryLock()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("output folder: %w", err)
		} else if err != nil {
			return nil, fmt.Errorf("lock the output folder: %w", err)
		} else if !locked {
			return nil, usage.Errorf("another run of bfpo is writing to %s: wait for its end, or choose another -out", dir)
		}
		mine, err := lock.Stat()
		if there, err2 := os.Lstat(path); err == nil && err2 == nil && os.SameFile(mine, there) {
			return func() {
				os.Remove(path) // while it is locked; where that fails, an empty file stays
				lock.Unlock()
			}, nil
		}
		lock.Unlock()
	}
	return nil, fmt.Errorf("lock the output folder: %s changes all the time", path)
}
