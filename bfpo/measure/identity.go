package measure

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// evaluationIdentity names the model of an evaluation by its content, and how it is used. template is the source of the
// chat template, "" where no context is rendered by it.
func evaluationIdentity(c *pretrained.Model, template string, dtype dtypes.DType, platform string) (
	evaluate.Identity, error) {
	digest, err := c.Digest()
	if err != nil {
		return nil, err
	}
	i := evaluate.Identity{
		"model": hex.EncodeToString(digest), "torch_dtype": dtype.String(), "platform": platform,
	}
	if template != "" {
		sum := sha256.Sum256([]byte(template))
		i["chat template"] = hex.EncodeToString(sum[:])
	}
	return i, nil
}

// filesIdentity returns a hash of the names, sizes and modification times of a model's files. It changes when the
// files change, and costs no reading: a judge whose replies are all stored needs no weights.
func filesIdentity(c *pretrained.Model) (string, error) {
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
