package pretrained

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The largest small files that are read. The largest tokenizer.json of a known model has 35 MB, the largest index 10.
const (
	maxTokenizerBytes = 256 << 20
	maxFileBytes      = 32 << 20
)

// sizeLimit returns how large a small file of this name may be.
func sizeLimit(name string) int64 {
	switch name {
	case "tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "merges.txt":
		return maxTokenizerBytes
	}
	return maxFileBytes
}

// smallFiles reads the files of a model folder other than the weights.
type smallFiles struct {
	path   string   // of the folder, for messages
	root   *os.Root // that the files may lie in
	inside string   // the folder's place in root
}

// openSmallFiles opens the folder that the files of a model folder may lie in. That is the model folder itself, except
// in the hub's cache, models--ORG--NAME/snapshots/REVISION, where files are links to ../../blobs/HASH.
func openSmallFiles(path string) (f smallFiles, err error) {
	absolute, err := filepath.Abs(path)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute)
	}
	if err != nil {
		return f, err
	}
	f = smallFiles{path: path, inside: "."}
	snapshots := filepath.Dir(absolute)
	if repository := filepath.Dir(snapshots); filepath.Base(snapshots) == "snapshots" &&
		strings.HasPrefix(filepath.Base(repository), "models--") {
		f.inside, absolute = filepath.Join("snapshots", filepath.Base(absolute)), repository
	}
	f.root, err = os.OpenRoot(absolute)
	return f, err
}

// read reads a regular file of the folder. Links that lead out of it, devices, pipes and files above the size
// limit are refused.
func (f smallFiles) read(name string) ([]byte, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s: "+format, append([]any{filepath.Join(f.path, name)}, args...)...)
	}
	place := filepath.Join(f.inside, name)
	info, err := f.root.Stat(place) // before it is opened, which waits for ever if it is a named pipe
	if err != nil {
		return nil, f.explain(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fail("not a regular file")
	}
	file, err := f.root.Open(place)
	if err != nil {
		return nil, f.explain(name, err)
	}
	defer file.Close()
	limit := sizeLimit(name)
	if info, err = file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fail("not a regular file")
	}
	if info.Size() > limit {
		return nil, fail("%d bytes are more than a model's file of this name has (at most %d)", info.Size(), limit)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fail("it grows while it is read")
	}
	return data, err
}

// explain returns err with the path as the user knows it. For a link that leads out of the folder it says so.
func (f smallFiles) explain(name string, err error) error {
	path := filepath.Join(f.path, name)
	if info, linkErr := f.root.Lstat(filepath.Join(f.inside, name)); linkErr == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, _ := f.root.Readlink(filepath.Join(f.inside, name))
		if _, missing := os.Stat(path); missing == nil {
			return fmt.Errorf("%s: a link to %q, which is outside the model's folder: put the file itself there", path, target)
		}
		return fmt.Errorf("%s: a link to %q, which does not exist", path, target)
	}
	if wrong, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: wrong.Op, Path: path, Err: wrong.Err}
	}
	return err
}
