package wheel

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Tree names what is wanted of one pinned wheel when the files must keep their places to each other and to those of other wheels, as
// libraries that find each other by relative paths do.
type Tree struct {
	Package, Version, SHA256 string   // as those of Wheel
	Members                  []string // paths inside the wheel; one that ends in / stands for all files below
}

// file is what a tree's record says of one of its files.
type file struct {
	Path     string `json:"path"` // below the root
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // ns
}

func (t Tree) wheel() Wheel { return Wheel{Package: t.Package, Version: t.Version, SHA256: t.SHA256} }

// recordIn is the file below root that says that the tree is whole.
func (t Tree) recordIn(root string) string {
	return filepath.Join(root, t.Package+"-"+t.Version+".json")
}

// CachedTree tells whether the tree lies whole below root. It never uses the network.
func CachedTree(t Tree, root string) bool {
	data, err := os.ReadFile(t.recordIn(root))
	if err != nil {
		return false
	}
	var rec struct {
		Wheel string `json:"wheel"`
		Files []file `json:"files"`
	}
	if err := json.Unmarshal(data, &rec); err != nil || rec.Wheel != t.SHA256 || len(rec.Files) == 0 {
		return false
	}
	for _, f := range rec.Files {
		info, err := os.Stat(filepath.Join(root, f.Path))
		if err != nil || info.Size() != f.Size || info.ModTime().UnixNano() != f.Modified {
			return false
		}
	}
	return true
}

// FetchTree puts the tree below root, a folder that several trees may share, unless it is there. Locks, downloads and errors are those
// of Fetch; the files appear under their names when they are whole, and the tree counts as there when all of them are.
func FetchTree(ctx context.Context, t Tree, root string, log func(format string, args ...any)) error {
	if CachedTree(t, root) {
		return nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("wheel %s %s: %w; set %s to a folder that may be written", t.Package, t.Version, err, EnvCache)
	}
	unlock, err := lock(ctx, filepath.Join(root, "lock"))
	if err != nil {
		return fmt.Errorf("wheel %s %s: %w", t.Package, t.Version, err)
	}
	defer unlock()
	if CachedTree(t, root) { // another process was quicker
		return nil
	}
	if log != nil {
		log("downloading %s %s by pip into %s", t.Package, t.Version, root)
	}
	if err := t.download(ctx, root); err != nil {
		return fmt.Errorf("wheel %s %s: %w", t.Package, t.Version, err)
	}
	return nil
}

func (t Tree) download(ctx context.Context, root string) error {
	temp, err := os.MkdirTemp(root, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	archive, err := t.wheel().checked(ctx, temp)
	if err != nil {
		return err
	}
	z, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s is not a wheel: %w", filepath.Base(archive), err)
	}
	defer z.Close()
	var files []file
	for _, member := range z.File {
		if !t.wants(member.Name) {
			continue
		}
		f, err := unpack(ctx, member, temp, root)
		if err != nil {
			return fmt.Errorf("extract %s: %w", member.Name, err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no member %s", filepath.Base(archive), strings.Join(t.Members, ", "))
	}
	return writeJSON(t.recordIn(root), map[string]any{"wheel": t.SHA256, "files": files})
}

func (t Tree) wants(name string) bool {
	for _, member := range t.Members {
		if name == member || strings.HasSuffix(member, "/") && strings.HasPrefix(name, member) && !strings.HasSuffix(name, "/") {
			return true
		}
	}
	return false
}

// unpack writes a member to its place below root; a program stays one that can be run.
func unpack(ctx context.Context, member *zip.File, temp, root string) (file, error) {
	if !filepath.IsLocal(member.Name) {
		return file{}, errors.New("its path leaves the wheel")
	}
	src, err := member.Open()
	if err != nil {
		return file{}, err
	}
	defer src.Close()
	part, place := filepath.Join(temp, "member"), filepath.Join(root, filepath.FromSlash(member.Name))
	if _, err := writeSynced(part, contextReader{ctx, src}); err != nil {
		return file{}, err
	}
	mode := fs.FileMode(0o644)
	if strings.Contains(member.Name, "/bin/") {
		mode = 0o755
	}
	if err := errors.Join(os.Chmod(part, mode), os.MkdirAll(filepath.Dir(place), 0o755)); err != nil {
		return file{}, err
	}
	if err := os.Rename(part, place); err != nil {
		return file{}, err
	}
	info, err := os.Stat(place)
	if err != nil {
		return file{}, err
	}
	return file{member.Name, info.Size(), info.ModTime().UnixNano()}, nil
}
