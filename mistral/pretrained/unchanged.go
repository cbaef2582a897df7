package pretrained

import (
	"fmt"
	"sync"

	"github.com/zeebo/xxh3"
)

// readings remembers hashes of what was read from a model's files, so that a file that changes between two readings is
// found.
type readings struct {
	mu   sync.Mutex
	sums map[string]xxh3.Uint128 // by the name of the tensor or file
}

// unchanged returns an error if data differ from what was read under this name before. The first reading is remembered.
func (r *readings) unchanged(name string, data []byte) error {
	sum := xxh3.Hash128(data)
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.sums[name]
	if ok && before != sum {
		return fmt.Errorf("%s changed since it was first read: the model's files were overwritten while they were in use",
			name)
	}
	if r.sums == nil {
		r.sums = map[string]xxh3.Uint128{}
	}
	r.sums[name] = sum
	return nil
}
