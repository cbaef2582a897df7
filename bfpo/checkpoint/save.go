package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// File is one file to save in a checkpoint: its name, without a folder, and the function that writes its contents.
type File struct {
	Name  string
	Write func(w io.Writer) error
}

// Save writes the checkpoint dir/step-N and returns its path. All files are written and synced under a temporary name
// first: after an error, a full disk or a crash at any point there is either the whole checkpoint or none, and other
// checkpoints are unchanged. A checkpoint of the same step is replaced. Write functions of several files run at the
// same time.
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
	if err := writeFiles(temp, step, files); err != nil {
		return fail(err)
	}
	// The folder above dir is synced too, because dir itself may be new.
	if err := errors.Join(atomicfile.CommitFolder(temp, path), atomicfile.SyncFolder(filepath.Dir(dir))); err != nil {
		return fail(err)
	}
	return path, nil
}

// writeFiles writes the files, several at a time, and then the manifest into the new folder dir, and syncs each of
// them.
func writeFiles(dir string, step int, files []File) error {
	m := manifest{Step: step, Files: make([]manifestFile, len(files))}
	err := forEachFile(len(files), func(i int) (err error) {
		if m.Files[i], err = writeFile(dir, files[i]); err != nil {
			return fmt.Errorf("%s: %w", files[i].Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(dir, ManifestName), "  ", m)
}

// writeFile writes one new file and returns its size and hash.
func writeFile(dir string, f File) (manifestFile, error) {
	if !isPlainName(f.Name) {
		return manifestFile{}, errors.New("not a plain file name")
	}
	w := hashWriter{hash: sha256.New()}
	err := atomicfile.Create(filepath.Join(dir, f.Name), func(file io.Writer) error {
		w.file = file
		buffered := bufio.NewWriterSize(&w, 1<<20)
		return errors.Join(f.Write(buffered), buffered.Flush())
	})
	return manifestFile{f.Name, w.size, hex.EncodeToString(w.hash.Sum(nil))}, err
}

// hashWriter writes to a file and hashes the same bytes at the same time, so that a large tensor does not take the
// sum of both times.
type hashWriter struct {
	file io.Writer
	hash hash.Hash
	size int64 // bytes written so far
}

func (w *hashWriter) Write(p []byte) (n int, err error) {
	var hashing sync.WaitGroup
	hashing.Go(func() { w.hash.Write(p) })
	defer hashing.Wait()
	n, err = w.file.Write(p)
	w.size += int64(n)
	return n, err
}
