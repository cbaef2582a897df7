package train

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// referenceMagic begins the files of log-probabilities. Raise its number when the layout of an entry or of its key changes.
const referenceMagic = "bfpo reference log-probabilities 1\n"

// referenceLimit is what log-probabilities may take on disk.
const referenceLimit = 4 << 30

// newReferenceCache keeps log-probabilities in the folder reference of the cache folder, see newRowCache.
func newReferenceCache(dir string) *filecache.Cache {
	dir, err := wheel.CacheDir(dir)
	if err != nil {
		return &filecache.Cache{}
	}
	return &filecache.Cache{Dir: filepath.Join(dir, "reference"), Magic: referenceMagic, Suffix: ".logps", Limit: referenceLimit}
}

// precompute gives every pair of the stage the log-probabilities of the reference, where the recipe wants them once instead of at each
// step. They are read from the cache folder where a run of the same model, program and batches has left them.
//
// They are computed in the batches of each set's first pass, so that they are to the last bit what the steps of that pass would compute.
func (t *training) precompute(ctx context.Context) error {
	if !t.precomputes() {
		return nil
	}
	started := time.Now()
	cache := newReferenceCache(t.Cache)
	key, keeps, err := t.referenceKey()
	if err != nil {
		return err
	}
	if !keeps {
		cache = &filecache.Cache{}
	}
	pairs, from := t.pairs.all(), "the cache"
	data, ok := cache.Get(key)
	if !ok || !unpackReference(data, pairs) {
		from = "the base model"
		if err := t.scoreReference(ctx); err != nil {
			return err
		}
		_ = cache.Put(key, packReference(pairs)) // a full disk costs the next run time and nothing else
	}
	if t.held, err = fillAll(t.pairs.held, t.config); err != nil {
		return err
	}
	t.Notice("reference log-probabilities of %d pairs from %s in %.1f s", len(pairs), from, time.Since(started).Seconds())
	return nil
}

// precomputes tells whether the stage has a reference that is to be computed beforehand.
func (t *training) precomputes() bool {
	return t.config.PrecomputeRefLogProbs && t.config.Objective != "sft"
}

// stagePairs are the pairs of a preference stage; the loaders of its sets give out these.
type stagePairs struct{ main, buffer, held []batch.Pair }

func (p stagePairs) all() (all []*batch.Pair) {
	for _, set := range [][]batch.Pair{p.main, p.buffer, p.held} {
		for i := range set {
			all = append(all, &set[i])
		}
	}
	return all
}

// referenceKey names the log-probabilities by all that they depend on: weights, tokens, how these lie in batches, and the programs, whose
// keys change with whatever rounds otherwise. The Go backend's programs have none, and ok is false.
func (t *training) referenceKey() (key string, ok bool, err error) {
	model, err := t.model.Checkpoint.Digest()
	if err != nil {
		return "", false, err
	}
	parts := [][]byte{[]byte(referenceMagic), model, fmt.Append(nil, t.shapes, t.config.PerDeviceTrainBatchSize, t.config.PerDeviceEvalBatchSize)}
	for _, program := range t.references {
		if program.Key == "" {
			return "", false, nil
		}
		parts = append(parts, []byte(program.Key))
	}
	tokens := fmt.Append(nil, len(t.pairs.main), len(t.pairs.buffer), len(t.pairs.held))
	for _, p := range t.pairs.all() {
		for _, s := range []batch.Sequence{p.Chosen, p.Rejected} {
			tokens = binary.AppendUvarint(tokens, uint64(s.Prompt))
			tokens = binary.AppendUvarint(tokens, uint64(len(s.IDs)))
			for _, id := range s.IDs {
				tokens = binary.AppendUvarint(tokens, uint64(id))
			}
		}
	}
	return filecache.Key(append(parts, tokens)...), true, nil
}

// scoreReference runs the reference over every pair once.
func (t *training) scoreReference(ctx context.Context) error {
	for _, set := range [][]batch.Pair{t.pairs.main, t.pairs.buffer} {
		loader := &batch.Loader[batch.Pair]{Rows: set, Size: t.config.PerDeviceTrainBatchSize * t.config.Devices}
		done := 0
		for examples := range loader.Ahead(loader.Batches()) {
			m, err := lay(examples, t.shapes, t.config.Devices)
			if err == nil {
				err = t.scoreBatch(ctx, m, set[done:done+len(examples)])
			}
			if err != nil {
				return err
			}
			done += len(examples)
		}
	}
	done := 0
	for _, b := range t.held {
		if err := t.scoreBatch(ctx, b, t.pairs.held[done:done+b.samples()]); err != nil {
			return err
		}
		done += b.samples()
	}
	return nil
}

// scoreBatch gives the pairs of a batch their log-probabilities.
func (t *training) scoreBatch(ctx context.Context, m microBatch, pairs []batch.Pair) error {
	for i := range m.parts {
		m.parts[i].Reference = make([]float32, m.parts[i].Targets)
	}
	values, err := inRounds(m, t.mesh.Devices(), func(b Batches) ([][]float32, error) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w while the reference's log-probabilities were computed; nothing to save", usage.ErrInterrupted)
		}
		return t.trainer.Reference(b)
	})
	if err != nil {
		return fmt.Errorf("reference log-probabilities: %w", err)
	}
	for i, part := range m.parts {
		if err := keepReference(part, values[i], pairs[:len(part.IDs)]); err != nil {
			return err
		}
		pairs = pairs[len(part.IDs):]
	}
	return nil
}

// keepReference gives the pairs of a part the values of its targets. The targets of a response lie in a part in the order of its tokens.
func keepReference(b batch.Batch, values []float32, pairs []batch.Pair) error {
	responses := make([][]float32, b.Responses)
	for n, owner := range b.Owner {
		if owner >= 0 {
			responses[owner] = append(responses[owner], values[n])
		}
	}
	for i := range pairs {
		pairs[i].ChosenReference, pairs[i].RejectedReference = responses[2*i], responses[2*i+1]
		for _, value := range slices.Concat(responses[2*i], responses[2*i+1]) {
			if math.IsNaN(float64(value)) || math.IsInf(float64(value), 0) {
				return fmt.Errorf("reference log-probabilities: row %s has a token of log-probability %v", pairs[i].ID, value)
			}
		}
	}
	return nil
}

// packReference is the log-probabilities of pairs as they lie on disk: little-endian float32, chosen and rejected in turn.
func packReference(pairs []*batch.Pair) (data []byte) {
	for _, p := range pairs {
		for _, values := range [][]float32{p.ChosenReference, p.RejectedReference} {
			for _, value := range values {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
			}
		}
	}
	return data
}

// unpackReference undoes packReference for the pairs that the key has named; it is false where the length is not theirs.
func unpackReference(data []byte, pairs []*batch.Pair) bool {
	want := 0
	for _, p := range pairs {
		want += 4 * (p.Chosen.Scored() + p.Rejected.Scored())
	}
	if len(data) != want {
		return false
	}
	take := func(n int) []float32 {
		values := make([]float32, n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		data = data[4*n:]
		return values
	}
	for _, p := range pairs {
		p.ChosenReference, p.RejectedReference = take(p.Chosen.Scored()), take(p.Rejected.Scored())
	}
	return true
}
