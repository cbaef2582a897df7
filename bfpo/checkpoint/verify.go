package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/bfpo/rundir"
)

// Open opens the checkpoint folder path if every file has the size and the SHA-256 that the manifest lists. The error
// names the damaged file; of several it names the first in the manifest's order.
func Open(path string) (*Checkpoint, error) {
	step, ok := parseStep(filepath.Base(filepath.Clean(path)))
	if !ok {
		return nil, fmt.Errorf("checkpoint %s: want a folder named %sN", path, rundir.StepPrefix)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	m, err := readManifest(path, step)
	if err != nil {
		return nil, err
	}
	if err := forEachFile(len(m.Files), func(i int) error { return checkHash(path, m.Files[i]) }); err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", path, err)
	}
	c := &Checkpoint{Path: path, Step: step}
	for _, f := range m.Files {
		c.listed = append(c.listed, f.Name)
	}
	return c, nil
}

// Latest opens the newest intact checkpoint in dir, or returns nil if there are no checkpoints. log gets one line about
// each newer checkpoint that is incomplete or damaged. If all are, that is an error.
func Latest(dir string, log *slog.Logger) (*Checkpoint, error) {
	all, err := listFolders(dir)
	if err != nil {
		return nil, err
	}
	var newest error
	for _, found := range all {
		c, err := Open(found.Path)
		if err == nil {
			return c, nil
		}
		if newest == nil {
			newest = err
		}
		log.Warn(fmt.Sprintf("skipped: %v", err))
	}
	if newest != nil {
		return nil, fmt.Errorf("no checkpoint of %s is intact (%w): remove them to start from the beginning", dir, newest)
	}
	return nil, nil
}

// checkHash reads a whole file of the checkpoint folder dir and compares its hash with the manifest's.
func checkHash(dir string, f manifestFile) error {
	hash, err := hashFile(filepath.Join(dir, f.Name))
	if err == nil && hash != f.SHA256 {
		err = fmt.Errorf("%s is damaged: its SHA-256 is %s, and the manifest lists %s", f.Name, hash, f.SHA256)
	}
	return err
}

// hashFile returns a file's SHA-256 in hexadecimal digits.
func hashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
