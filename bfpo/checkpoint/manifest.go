package checkpoint

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// ManifestName is the name of the file that lists all other files of a checkpoint with their sizes and hashes.
const ManifestName = "manifest.json"

// maxManifestSize limits how many bytes of a manifest are read. A real one has a few hundred.
const maxManifestSize = 1 << 20

// manifest lists the files of a checkpoint. It is written last, so a checkpoint without one is incomplete.
type manifest struct {
	Step  int            `json:"step"`
	Files []manifestFile `json:"files"`
}

type manifestFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// readManifest reads the manifest of the checkpoint folder path and compares its step and the sizes of its files with
// what is there. It does not read the files.
func readManifest(path string, step int) (manifest, error) {
	fail := func(format string, args ...any) (manifest, error) {
		return manifest{}, fmt.Errorf("checkpoint %s: "+format, append([]any{path}, args...)...)
	}
	file, err := os.Open(filepath.Join(path, ManifestName))
	if errors.Is(err, os.ErrNotExist) {
		return fail("not complete: no %s", ManifestName)
	} else if err != nil {
		return fail("%w", err)
	}
	defer file.Close()
	var m manifest
	text, err := io.ReadAll(io.LimitReader(file, maxManifestSize))
	if err != nil {
		return fail("%w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fail("%s is damaged: %w", ManifestName, err)
	}
	if m.Step != step || len(m.Files) == 0 {
		return fail("%s is of step %d and lists %d files", ManifestName, m.Step, len(m.Files))
	}
	for _, f := range m.Files {
		if !isPlainName(f.Name) {
			return fail("%s is damaged: %q is no file name", ManifestName, f.Name)
		}
		info, err := os.Stat(filepath.Join(path, f.Name))
		if err != nil {
			return fail("%w", err)
		}
		if !info.Mode().IsRegular() || info.Size() != f.Size {
			return fail("%s is damaged: it has %d bytes, and the manifest lists %d", f.Name, info.Size(), f.Size)
		}
	}
	return m, nil
}

// isPlainName reports whether a file name has no folder in it and does not begin with a dot.
func isPlainName(name string) bool {
	return filepath.Base(name) == name && !strings.HasPrefix(name, ".")
}

// maxOpenFiles is how many files are read or written at a time. Files wait for the disk too, so the number does not
// depend on the number of processors; a checkpoint has fewer files.
const maxOpenFiles = 8

// forEachFile calls handle(0) to handle(n-1), several at a time, and returns when all are done. Of several errors it
// returns the one with the smallest index, so the error does not depend on which call was faster.
func forEachFile(n int, handle func(i int) error) error {
	errs := make([]error, n)
	var group errgroup.Group
	group.SetLimit(maxOpenFiles)
	for i := range n {
		group.Go(func() error {
			errs[i] = handle(i)
			return nil
		})
	}
	group.Wait()
	return cmp.Or(errs...)
}
