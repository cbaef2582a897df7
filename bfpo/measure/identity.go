package measure

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// modelIdentity returns a hash of the names, sizes and modification times of a model's files. It changes when the
// files change.
func modelIdentity(c *pretrained.Model) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, c.Path)
	if c.Path != pretrained.Tiny {
		err := filepath.WalkDir(c.Path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := os.Stat(path) // Stat follows the links in the hub's cache
			if err == nil {
				fmt.Fprintln(h, d.Name(), info.Size(), info.ModTime().UnixNano())
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("model %s: %w", c.Path, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
