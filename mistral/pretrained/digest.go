package pretrained

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/mistral/gguf"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Digest returns a hash of the config and the weights. Models with the same digest compute the same function.
// It is the SHA-256 of the config and of the digests of all tensors.
func (c *Model) Digest() ([]byte, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, err
	}
	tensors, err := c.TensorDigests()
	if err != nil {
		return nil, err
	}
	all := sha256.New()
	fmt.Fprintf(all, "%s\n", config)
	for _, spec := range c.Config.Tensors() {
		fmt.Fprintf(all, "%s %s\n", spec.Name, tensors[spec.Name])
	}
	return all.Sum(nil), nil
}

// TensorDigests returns, for each tensor of the config, its type, its shape and the 128-bit XXH3 of its bytes as the
// file stores them. They are computed once, as fast as memory delivers the weights. They are no signatures: XXH3 is
// not cryptographic, so weights with given digests can be forged. A value that is NaN or infinite is an error that
// names the tensor, unless the tensor is quantised.
func (c *Model) TensorDigests() (map[string]string, error) {
	c.digesting.Do(func() { c.digests, c.digestErr = c.digestTensors() })
	return c.digests, c.digestErr
}

// digestTensors computes the digests of all tensors, several at a time.
func (c *Model) digestTensors() (map[string]string, error) {
	specs := c.Config.Tensors()
	digests := make([]string, len(specs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, spec := range specs {
		group.Go(func() error {
			if err := safetensors.CatchFaults(func() (err error) {
				digests[i], err = c.digestTensor(spec.Name)
				return err
			}); err != nil {
				return fmt.Errorf("%s: tensor %s: %w", c.Path, spec.Name, err)
			}
			if _, quantised := c.source.(*gguf.File); quantised {
				return nil // finding such a value would take the conversion of the tensor
			}
			return c.checkFinite(spec.Name)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	byName := make(map[string]string, len(specs))
	for i, spec := range specs {
		byName[spec.Name] = digests[i]
	}
	return byName, nil
}

func (c *Model) digestTensor(name string) (string, error) {
	var sum xxh3.Uint128
	var layout string
	if file, ok := c.source.(*gguf.File); ok {
		h := xxh3.New()
		var err error
		if layout, err = file.WriteStored(h, name); err != nil {
			return "", err
		}
		sum = h.Sum128()
	} else {
		t, err := c.Tensor(name)
		if err != nil {
			return "", err
		}
		layout, sum = fmt.Sprintf("%s %v", t.DType, t.Dims), xxh3.Hash128(t.Bytes)
	}
	b := sum.Bytes()
	return fmt.Sprintf("%s %s", layout, hex.EncodeToString(b[:])), nil
}

// CheckFinite returns an error that names the first tensor with a value that is NaN or infinite.
func (c *Model) CheckFinite() error {
	for _, spec := range c.Config.Tensors() {
		if err := c.checkFinite(spec.Name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Model) checkFinite(name string) error {
	t, err := c.Tensor(name)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if err := safetensors.CatchFaults(t.CheckFinite); err != nil {
		return fmt.Errorf("%s: %s: %w: the file is damaged, or the training that wrote it diverged", c.Path,
			filepath.Base(c.TensorFile(name)), err)
	}
	return nil
}

// TensorFile returns the name of the file that holds a tensor, for messages.
func (c *Model) TensorFile(name string) string {
	if f, ok := c.source.(*folder); ok {
		for file, shard := range f.shards {
			if shard == f.shardOf[name] {
				return file
			}
		}
	}
	return c.Path
}
