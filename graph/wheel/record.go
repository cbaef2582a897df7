package wheel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// record lists the unpacked files of a wheel. It is written last: without it the wheel counts as missing.
type record struct {
	Wheel string `json:"wheel"` // SHA-256 of the wheel
	Files []file `json:"files"`
}

// file is one unpacked file of a record.
type file struct {
	Path     string `json:"path"`     // below the folder, with forward slashes
	Size     int64  `json:"size"`     // bytes
	SHA256   string `json:"sha256"`   // of the contents
	Modified int64  `json:"modified"` // modification time when the file was written, ns
}

// recordPath is where the record of w stands in the folder of its members.
func (w Wheel) recordPath(root string) string { return filepath.Join(root, w.name()+".json") }

// checkRecord returns nil when all files below root are as the record of w describes them.
func (w Wheel) checkRecord(root string) error {
	data, err := os.ReadFile(w.recordPath(root))
	if err == nil {
		err = checkBelow(root, w.recordPath(root))
	}
	if err != nil {
		return err
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return fmt.Errorf("%s: %w", w.recordPath(root), err)
	}
	if rec.Wheel != w.SHA256 {
		return fmt.Errorf("%s is the record of another wheel", w.recordPath(root))
	}
	for _, member := range w.Members {
		if !slices.ContainsFunc(rec.Files, func(f file) bool { return isOf(f.Path, member) }) {
			return fmt.Errorf("%s has no member %s", w.recordPath(root), member)
		}
	}
	for _, f := range rec.Files {
		if err := f.check(root); err != nil {
			return err
		}
	}
	return nil
}

// check compares a file with its record. The contents are read only when the modification time differs, as in a copy of
// the cache: hashing hundreds of megabytes at every start would be felt.
func (f file) check(root string) error {
	path := filepath.Join(root, filepath.FromSlash(f.Path))
	if err := checkBelow(root, path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() != f.Size {
		return fmt.Errorf("%s has %d bytes, want %d", path, info.Size(), f.Size)
	}
	if info.ModTime().UnixNano() == f.Modified {
		return nil
	}
	sum, err := hashFile(context.Background(), path)
	if err != nil {
		return err
	}
	if sum != f.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s, want %s", path, sum, f.SHA256)
	}
	return nil
}

// hashFile returns the SHA-256 of a file in hex.
func hashFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hexSum(h), nil
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

// isOf reports whether the file name of an archive is the member, or lies below the member when that ends in /.
func isOf(name, member string) bool {
	if strings.HasSuffix(name, "/") { // a folder's own entry
		return false
	}
	return name == member || strings.HasSuffix(member, "/") && strings.HasPrefix(name, member)
}
