package mistral

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// Digest is a SHA-256 over the architecture and the weights: checkpoints of one digest compute the same.
func (c *Checkpoint) Digest() ([]byte, error) {
	config, err := json.Marshal(c.Config)
	if err != nil {
		return nil, err
	}
	specs := c.Config.Tensors()
	sums := make([][]byte, len(specs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, spec := range specs {
		group.Go(func() error {
			t, err := c.Tensor(spec.Name)
			if err != nil {
				return err
			}
			h := sha256.New()
			fmt.Fprintf(h, "%s %s %v\n", t.Name, t.DType, t.Dims)
			h.Write(t.Bytes)
			sums[i] = h.Sum(nil)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	all := sha256.New()
	all.Write(config)
	for _, sum := range sums {
		all.Write(sum)
	}
	return all.Sum(nil), nil
}
