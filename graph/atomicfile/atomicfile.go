// Package atomicfile writes files and folders that are complete or absent, whatever happens meanwhile: an error, a full
// disk, a crash or a loss of power.
//
// A file is written under a temporary name in the folder where it belongs, synced, renamed to its own name, and then
// the folder is synced. A folder of several files is filled under a temporary name and renamed when it is complete.
//
// The package calls os directly. The library github.com/google/renameio/v2 covers only the rename of one file: it syncs
// no folder, has nothing for the rename of a folder, and has no files to build on Windows, where this module builds.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// TemporaryPrefix begins the name of every file and folder that is not complete yet, and of every folder that is about
// to be removed. The owner of a folder may remove such entries when no other process writes there: a crash left them.
const TemporaryPrefix = ".tmp-"

// bufferSize is the size of the write buffer in bytes. Larger writes go to the file directly.
const bufferSize = 64 << 10

// TemporaryName returns an unused name in the folder of path for the unfinished contents of path.
func TemporaryName(path string) string {
	return filepath.Join(filepath.Dir(path), TemporaryPrefix+filepath.Base(path)+"-"+rand.Text())
}

// Write writes the file path through a buffer. After an error path has its old contents, or does not exist if it did
// not exist before, and no temporary file is left. The permissions are 0644 less the umask; permissions of an older
// file are not kept.
func Write(path string, write func(w io.Writer) error) error {
	temp := TemporaryName(path)
	if err := Create(temp, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(temp)))
	}
	if err := SyncFolder(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// WriteLines writes values to the file path as Write does, one JSON value a line.
func WriteLines[T any](path string, values []T) error {
	return Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		for _, v := range values {
			if err := e.Encode(v); err != nil {
				return err
			}
		}
		return nil
	})
}

// WriteJSON writes v to the file path as Write does, with the given indent for each level and a final newline.
func WriteJSON(path, indent string, v any) error {
	text, err := json.MarshalIndent(v, "", indent)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// Create writes a new file through a buffer under its final name and syncs it. It is for the files of a folder that
// CommitFolder renames later. A file that exists already is an error. After an error in writing the file is removed.
func Create(path string, write func(w io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, bufferSize)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// CreateFolder makes an empty temporary folder beside path. Fill it with Create, then give it to CommitFolder; after an
// error remove it.
func CreateFolder(path string) (temp string, err error) {
	temp = TemporaryName(path)
	return temp, os.Mkdir(temp, 0o755)
}

// CommitFolder renames the complete folder temp, whose files are synced, to path. A file or folder that is already at
// path is moved out of the way first and removed last: a crash leaves the old one or the new one, at worst under a
// name with TemporaryPrefix. After an error in a rename the old one is at path again.
func CommitFolder(temp, path string) error {
	if err := SyncFolder(temp); err != nil {
		return err
	}
	old := ""
	if _, err := os.Lstat(path); err == nil {
		old = TemporaryName(path)
		if err := os.Rename(path, old); err != nil {
			return err
		}
	}
	if err := os.Rename(temp, path); err != nil {
		if old != "" {
			err = errors.Join(err, os.Rename(old, path))
		}
		return err
	}
	if err := SyncFolder(filepath.Dir(path)); err != nil || old == "" {
		return err
	}
	return os.RemoveAll(old)
}

// SyncFolder makes all files created, renamed and removed in a folder so far survive a loss of power.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
