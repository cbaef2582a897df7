package wheel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// EnvCache is the environment variable that moves the cache folder.
const EnvCache = "BFPO_CACHE"

// ErrUntrusted is wrapped by the errors of a cache folder into which another user can put files. Its plugins and
// compiled programs run with all rights of this process, so nothing in such a folder is used.
var ErrUntrusted = errors.New("the cache folder is not used")

// checkFolder returns an error if another user could change what lies in an existing cache folder: if the folder, one
// of the folders in it or a folder above it is open to everybody, or belongs to somebody else.
func checkFolder(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := checkPath(real); err != nil {
		return err
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return fmt.Errorf("cache folder: %w; set %s to a folder that may be written", err, EnvCache)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := checkPath(filepath.Join(real, e.Name())); err != nil {
				return err
			}
		}
	}
	for parent := filepath.Dir(real); parent != filepath.Dir(parent); parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return err
		}
		if isOpen(info) && info.Mode()&fs.ModeSticky == 0 {
			return untrusted(parent, info, "everybody can replace what lies in it", "chmod o-w "+parent)
		}
	}
	return nil
}

// checkBelow checks a file of the cache and the folders between it and root.
func checkBelow(root, path string) error {
	for {
		if err := checkPath(path); err != nil {
			return err
		}
		if path == root || path == filepath.Dir(path) {
			return nil
		}
		path = filepath.Dir(path)
	}
}

// checkPath checks the owner and the permissions of one file or folder.
func checkPath(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, mine := ownedByUs(info); !mine {
		return untrusted(path, info, fmt.Sprintf("it belongs to user %d, not to you", owner),
			fmt.Sprintf("chown -R %d %s", os.Geteuid(), path))
	}
	if isOpen(info) {
		return untrusted(path, info, "everybody can write to it", "chmod -R o-w "+path)
	}
	return nil
}

func untrusted(path string, info fs.FileInfo, why, remedy string) error {
	return fmt.Errorf("%w: %s (%v): %s; run %s if you trust what is in it, or set %s to a folder of your own",
		ErrUntrusted, path, info.Mode(), why, remedy, EnvCache)
}
