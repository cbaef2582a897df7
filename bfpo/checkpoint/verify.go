package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// maxManifest bounds what is read of a manifest; a real one has some hundred bytes.
const maxManifest = 1 << 20

// OpenCheckpoint checks that every file of the checkpoint folder has the size and the SHA-256 of its manifest. The error names the
// damaged file, the first of them in the manifest's order.
func Open(path string) (*Checkpoint, error) {
	step, ok := stepOf(filepath.Base(filepath.Clean(path)))
	if !ok {
		return nil, fmt.Errorf("checkpoint %s: want a folder named %sN", path, rundir.StepPrefix)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c := Checkpoint{Path: path, Step: step}
	m, err := c.manifest()
	if err != nil {
		return nil, err
	}
	if err := sideBySide(len(m.Files), func(i int) error { return c.verify(m.Files[i]) }); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return &c, nil
}

// verify reads a whole file.
func (c Checkpoint) verify(f manifestFile) error {
	sum, err := fileSHA256(c.File(f.Name))
	if err == nil && sum != f.SHA256 {
		err = fmt.Errorf("%s is damaged: its SHA-256 is %s, the manifest says %s", f.Name, sum, f.SHA256)
	}
	return err
}

// File is the path of one of the checkpoint's files.
func (c Checkpoint) File(name string) string { return filepath.Join(c.Path, name) }

// manifest reads the list of files and compares their sizes.
func (c Checkpoint) manifest() (manifest, error) {
	fail := func(format string, args ...any) (manifest, error) {
		return manifest{}, fmt.Errorf("checkpoint %s: "+format, append([]any{c.Path}, args...)...)
	}
	file, err := os.Open(c.File(ManifestName))
	if errors.Is(err, os.ErrNotExist) {
		return fail("not complete: no %s", ManifestName)
	} else if err != nil {
		return fail("%w", err)
	}
	defer file.Close()
	var m manifest
	text, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err != nil {
		return fail("%w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fail("%s is damaged: %w", ManifestName, err)
	}
	if m.Step != c.Step || len(m.Files) == 0 {
		return fail("%s is of step %d and lists %d files", ManifestName, m.Step, len(m.Files))
	}
	for _, f := range m.Files {
		if filepath.Base(f.Name) != f.Name || strings.HasPrefix(f.Name, ".") {
			return fail("%s is damaged: %q is no file name", ManifestName, f.Name)
		}
		info, err := os.Stat(c.File(f.Name))
		if err != nil {
			return fail("%w", err)
		}
		if !info.Mode().IsRegular() || info.Size() != f.Size {
			return fail("%s is damaged: it has %d bytes, the manifest says %d", f.Name, info.Size(), f.Size)
		}
	}
	return m, nil
}

// LatestCheckpoint opens the newest checkpoint in dir that is whole, or returns nil where there is none. Of each damaged or incomplete
// one that it passes over, warn is told why.
func Latest(dir string, warn func(format string, args ...any)) (*Checkpoint, error) {
	all, err := checkpointFolders(dir)
	if err != nil {
		return nil, err
	}
	for _, found := range all {
		c, err := Open(found.Path)
		if err == nil {
			return c, nil
		}
		warn("passed over: %v", err)
	}
	return nil, nil
}

// PruneCheckpoints deletes the oldest complete checkpoints in dir until limit are left; 0 keeps all. The newest and that of step best
// (-1: none) always stay, so with both kept there may be one more than the limit, as with transformers' save_total_limit of 1.
func Prune(dir string, limit, best int) error {
	all, err := List(dir)
	if err != nil || limit <= 0 {
		return err
	}
	kept := 0
	for _, c := range all {
		if c.Step == best && c.Step != all[0].Step {
			kept++
		}
	}
	for i, c := range all {
		switch {
		case c.Step == best && i > 0: // counted above
		case i == 0 || kept < limit:
			kept++
		default:
			// First another name: a deletion that is interrupted must not leave half a checkpoint under this one.
			gone := atomicfile.TemporaryName(c.Path)
			if err := errors.Join(os.Rename(c.Path, gone), os.RemoveAll(gone)); err != nil {
				return fmt.Errorf("delete checkpoint %s: %w", c.Path, err)
			}
		}
	}
	return nil
}

func fileSHA256(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
