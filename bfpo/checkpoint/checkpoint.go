package checkpoint

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// manifestName is the file that lists all others of a checkpoint, with their sizes and hashes.
const ManifestName = "manifest.json"

// CheckpointFile is one file of a checkpoint to be: a name without a folder, and what writes its contents.
type File struct {
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
func Save(dir string, step int, files []File) (path string, err error) {
	path = filepath.Join(dir, rundir.StepPrefix+strconv.Itoa(step))
	fail := func(err error) (string, error) { return "", fmt.Errorf("save checkpoint %s: %w", path, err) }
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(err)
	}
	temp, err := atomicfile.CreateFolder(path)
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(temp)
	if err := fillCheckpoint(temp, step, files); err != nil {
		return fail(err)
	}
	// The folder above dir is synced too, because dir itself may be new.
	if err := errors.Join(atomicfile.CommitFolder(temp, path), atomicfile.SyncFolder(filepath.Dir(dir))); err != nil {
		return fail(err)
	}
	return path, nil
}

// fillCheckpoint writes the files side by side, and then the manifest, into a new folder, each synced.
func fillCheckpoint(dir string, step int, files []File) error {
	m := manifest{Step: step, Files: make([]manifestFile, len(files))}
	err := sideBySide(len(files), func(i int) (err error) {
		if m.Files[i], err = writeHashed(dir, files[i]); err != nil {
			return fmt.Errorf("%s: %w", files[i].Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, ManifestName), "  ", m)
}

// writeHashed writes one new file and returns its size and hash.
func writeHashed(dir string, f File) (manifestFile, error) {
	if filepath.Base(f.Name) != f.Name || strings.HasPrefix(f.Name, ".") {
		return manifestFile{}, errors.New("not a plain file name")
	}
	sum := hashed{sum: sha256.New()}
	err := atomicfile.Create(filepath.Join(dir, f.Name), func(w io.Writer) error {
		sum.file = w
		buffered := bufio.NewWriterSize(&sum, 1<<20)
		return errors.Join(f.Write(buffered), buffered.Flush())
	})
	return manifestFile{f.Name, sum.size, hex.EncodeToString(sum.sum.Sum(nil))}, err
}

// hashed writes to a file and hashes the same bytes meanwhile: neither waits until the other is done with a large tensor.
type hashed struct {
	file io.Writer
	sum  hash.Hash
	size int64 // bytes written so far
}

func (w *hashed) Write(p []byte) (n int, err error) {
	var hashing sync.WaitGroup
	hashing.Go(func() { w.sum.Write(p) })
	defer hashing.Wait()
	n, err = w.file.Write(p)
	w.size += int64(n)
	return n, err
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

// CleanCheckpoints removes what an interrupted save left in dir. Call it before the first save, while no other run writes there.
func Clean(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, atomicfile.TemporaryPrefix+"*"))
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
func List(dir string) ([]Checkpoint, error) {
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
	digits, ok := strings.CutPrefix(name, rundir.StepPrefix)
	step, err := strconv.Atoi(digits)
	return step, ok && err == nil && step >= 0 && digits == strconv.Itoa(step)
}
