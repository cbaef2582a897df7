package pretrained

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/zeebo/xxh3"
	"golang.org/x/sync/errgroup"
)

// Digest tells checkpoints apart by architecture and weights: those of one digest compute the same. Of each tensor it takes the 128 bits of XXH3, as fast
// as memory gives the weights, and of all of them a SHA-256. It is no signature: who wants to can make weights of a digest that is there.
func (c *Checkpoint) Digest() ([]byte, error) {
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
			sums[i] = xxh3.Hash128(t.Bytes)
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
