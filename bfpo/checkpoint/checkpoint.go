package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Checkpoint is a complete checkpoint on disk.
type Checkpoint struct {
	Path string // its folder
	Step int

	listed []string // the files that its manifest lists; nil for one that List or Latest only found
}

// FilePath returns the path of one of the files of an opened checkpoint. A file that the manifest does not list is an
// error even if it is there, because nothing shows that it belongs to the checkpoint and is intact.
func (c Checkpoint) FilePath(name string) (string, error) {
	if !c.Lists(name) {
		return "", fmt.Errorf("checkpoint %s: %s does not list %s, which belongs to every checkpoint: "+
			"it is damaged, use another checkpoint", c.Path, ManifestName, name)
	}
	return filepath.Join(c.Path, name), nil
}

// Lists reports whether the manifest of an opened checkpoint lists a file.
func (c Checkpoint) Lists(name string) bool { return slices.Contains(c.listed, name) }

// List lists the complete checkpoints in dir, the newest first; a dir that does not exist has none. It checks names,
// manifests and sizes only, whereas Open reads every byte.
func List(dir string) ([]Checkpoint, error) {
	all, err := listFolders(dir)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c Checkpoint) bool {
		_, err := readManifest(c.Path, c.Step)
		return err != nil
	}), nil
}

// listFolders lists all folders step-N in dir, complete or not, the newest first.
func listFolders(dir string) ([]Checkpoint, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list checkpoints: %w", err)
	}
	var all []Checkpoint
	for _, e := range entries {
		if step, ok := parseStep(e.Name()); ok && e.IsDir() {
			all = append(all, Checkpoint{Path: filepath.Join(dir, e.Name()), Step: step})
		}
	}
	slices.SortFunc(all, func(a, b Checkpoint) int { return b.Step - a.Step })
	return all, nil
}

// parseStep returns N for the folder name step-N; ok is false for any other name.
func parseStep(name string) (step int, ok bool) {
	digits, ok := strings.CutPrefix(name, rundir.StepPrefix)
	step, err := strconv.Atoi(digits)
	return step, ok && err == nil && step >= 0 && digits == strconv.Itoa(step)
}

// Prune deletes the oldest complete checkpoints in dir until limit are left; a limit of 0 keeps all. The newest
// checkpoint and the one of step best (-1: none) always stay. If these are two, there may be one more than the limit,
// as with transformers' save_total_limit of 1.
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
			// The folder is renamed first: an interrupted deletion must not leave half a checkpoint under its name.
			doomed := atomicfile.TemporaryName(c.Path)
			if err := errors.Join(os.Rename(c.Path, doomed), os.RemoveAll(doomed)); err != nil {
				return fmt.Errorf("delete checkpoint %s: %w", c.Path, err)
			}
		}
	}
	return nil
}

// RemoveTemporary removes what an interrupted Save or Prune left in dir. Call it before the first Save, while no
// other run writes there.
func RemoveTemporary(dir string) error {
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
