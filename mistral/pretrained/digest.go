package pretrained

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Digest returns a hash of the config and the weights. Models with the same digest compute the same function.
// It is the SHA-256 of the config and of a 128-bit XXH3 of each tensor, which is computed as fast as memory
// delivers the weights. It is not a signature: XXH3 is not cryptographic, so that weights with a given digest can
// be forged.
func (c *Model) Digest() ([]byte, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, err
	}
	specs := c.Config.Tensors()
	sums := make([]xxh3.Uint128, len(specs))
	names := make([]string, len(specs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, spec := range specs {
		group.Go(func() error {
			t, err := c.Tensor(spec.Name)
			if err != nil {
				return err
			}
			names[i] = fmt.Sprintf("%s %s %v", t.Name, t.DType, t.Dims)
			if err := safetensors.CatchFaults(func() error {
				sums[i] = xxh3.Hash128(t.Bytes)
				return nil
			}); err != nil {
				return fmt.Errorf("%s: tensor %s: %w", c.Path, spec.Name, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := sha256.New()
	fmt.Fprintf(all, "%s\n", config)
	for i, sum := range sums {
		fmt.Fprintf(all, "%s %x\n", names[i], sum.Bytes())
	}
	return all.Sum(nil), nil
}
