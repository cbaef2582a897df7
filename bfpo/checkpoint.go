package bfpo

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	manifestName    = "manifest.json"
	stepPrefix      = "step-"
	temporaryPrefix = ".tmp-"
)

// CheckpointFile is one file of a checkpoint to be: a name without a folder, and what writes its contents.
type CheckpointFile struct {
	Name  string
	Write func(w io.Writer) error
}

// Checkpoint is a complete checkpoint on disk.
type Checkpoint struct {
	Path string
	Step int
}

// manifest lists the files of a checkpoint. It is written last, so a checkpoint without one is not complete.
type manifest struct {
	Step  int            `json:"step"`
	Files []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// SaveCheckpoint writes the checkpoint dir/step-N and returns its path. All of it is written and synced under another name first: after
// an error, a full disk or a crash at any point there is either the whole checkpoint or none, and the others are as they were. A
// checkpoint of the same step is replaced.
func SaveCheckpoint(dir string, step int, files []CheckpointFile) (path string, err error) {
	path = filepath.Join(dir, stepPrefix+strconv.Itoa(step))
	fail := func(err error) (string, error) { return "", fmt.Errorf("save checkpoint %s: %w", path, err) }
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	temp, err := os.MkdirTemp(dir, temporaryPrefix+filepath.Base(path)+"-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(temp)
	if err := fillCheckpoint(temp, step, files); err != nil {
		return fail(err)
	}
	if err := replaceFolder(temp, path); err != nil {
		return fail(err)
	}
	if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))); err != nil {
		return fail(err)
	}
	return path, nil
}

// fillCheckpoint writes the files side by side, and then the manifest, into a new folder, each synced.
func fillCheckpoint(dir string, step int, files []CheckpointFile) error {
	if err := os.Chmod(dir, 0o755); err != nil { // MkdirTemp makes folders that only their owner can read
		return err
	}
	m := manifest{Step: step, Files: make([]manifestFile, len(files))}
	err := sideBySide(len(files), func(i int) (err error) {
		if m.Files[i], err = writeSynced(dir, files[i]); err != nil {
			return fmt.Errorf("%s: %w", files[i].Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	_, err = writeSynced(dir, CheckpointFile{manifestName, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	}})
	if err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	return syncDir(dir)
}

// writeSynced writes one new file, counting and hashing what goes by.
func writeSynced(dir string, f CheckpointFile) (manifestFile, error) {
	if filepath.Base(f.Name) != f.Name || strings.HasPrefix(f.Name, ".") {
		return manifestFile{}, errors.New("not a plain file name")
	}
	file, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return manifestFile{}, err
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(both{file, sum}, 1<<20)
	if err := errors.Join(f.Write(w), w.Flush(), file.Sync()); err != nil {
		return manifestFile{}, errors.Join(err, file.Close())
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err := errors.Join(err, file.Close()); err != nil {
		return manifestFile{}, err
	}
	return manifestFile{f.Name, size, hex.EncodeToString(sum.Sum(nil))}, nil
}

// both writes to a file and, meanwhile, to its hash: neither waits until the other is done with a large tensor.
type both struct {
	file io.Writer
	sum  hash.Hash
}

func (w both) Write(p []byte) (n int, err error) {
	var hashing sync.WaitGroup
	hashing.Go(func() { w.sum.Write(p) })
	defer hashing.Wait()
	return w.file.Write(p)
}

// filesAtOnce is how many files are read or written at a time: all of a checkpoint, whatever the number of processors, for they wait for
// the disk too.
const filesAtOnce = 8

// sideBySide handles files 0 to n-1, several at a time, and returns when none is in work any more. The error is that of the first in order,
// so that it does not depend on which was faster.
func sideBySide(n int, handle func(i int) error) error {
	errs := make([]error, n)
	var group errgroup.Group
	group.SetLimit(filesAtOnce)
	for i := range n {
		group.Go(func() error {
			errs[i] = handle(i)
			return nil
		})
	}
	group.Wait()
	return cmp.Or(errs...)
}

// replaceFolder renames a new folder to its place. A folder that is there already, such as a damaged checkpoint that the run has now
// reached again, is moved out of the way first, under a name that CleanCheckpoints knows.
func replaceFolder(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		old := filepath.Join(filepath.Dir(to), temporaryPrefix+"old-"+filepath.Base(from))
		if err := os.Rename(to, old); err != nil {
			return err
		}
		defer os.RemoveAll(old)
	}
	return os.Rename(from, to)
}

// CleanCheckpoints removes what an interrupted save left in dir. Call it before the first save, while no other run writes there.
func CleanCheckpoints(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, temporaryPrefix+"*"))
	if err != nil {
		return fmt.Errorf("clean checkpoints: %w", err)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("clean checkpoints: %w", err)
		}
	}
	return nil
}

// Checkpoints lists the complete checkpoints in dir, the newest first. It looks at names, manifests and sizes only; OpenCheckpoint
// reads every byte. A dir that does not exist has none.
func Checkpoints(dir string) ([]Checkpoint, error) {
	all, err := checkpointFolders(dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Checkpoint) bool {
		_, err := c.manifest()
		return err != nil
	}), nil
}

// checkpointFolders lists all folders step-N in dir, complete or not, the newest first.
func checkpointFolders(dir string) ([]Checkpoint, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var all []Checkpoint
	for _, e := range entries {
		if step, ok := stepOf(e.Name()); ok && e.IsDir() {
			all = append(all, Checkpoint{filepath.Join(dir, e.Name()), step})
		}
	}
	slices.SortFunc(all, func(a, b Checkpoint) int { return b.Step - a.Step })
	return all, nil
}

// stepOf reads the step from a checkpoint folder's name.
func stepOf(name string) (step int, ok bool) {
	digits, ok := strings.CutPrefix(name, stepPrefix)
	step, err := strconv.Atoi(digits)
	return step, ok && err == nil && step >= 0 && digits == strconv.Itoa(step)
}
