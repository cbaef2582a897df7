package train

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/step"
	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/graph/filecache"
	"github.com/bfpo-go/bfpo/graph/wheel"
)

// referenceMagic begins the files of reference log-probabilities. Raise its number when the layout of an entry or of
// its key changes.
const referenceMagic = "bfpo reference log-probabilities 2\n"

// referenceLimit is what reference log-probabilities may take on disk, in bytes.
const referenceLimit = 4 << 30

// newReferenceCache keeps log-probabilities in the folder reference of the cache folder (dir, or where that is empty
// the user's).
func newReferenceCache(dir string) (*filecache.Cache, error) {
	dir, err := wheel.CacheDir(dir)
	if errors.Is(err, wheel.ErrUntrusted) {
		return nil, err
	} else if err != nil {
		return &filecache.Cache{}, nil
	}
	return &filecache.Cache{
		Dir:    filepath.Join(dir, "reference"),
		Magic:  referenceMagic,
		Suffix: ".logps",
		Limit:  referenceLimit,
	}, nil
}

// PrecomputeReference gives every pair of the stage its reference log-probabilities, where the recipe wants them once
// instead of in each step. They are read from the cache folder where a run of the same model, programs and batches has
// left them.
//
// They are computed in the batches of each set's first pass, so that they are to the last bit what the steps of that
// pass would compute.
func (s *Stage) PrecomputeReference(ctx context.Context) error {
	if !s.Config.PrecomputesReference() {
		return nil
	}
	started := time.Now()
	cache, err := newReferenceCache(s.Cache)
	if err != nil {
		return err
	}
	key, cacheable, err := s.referenceKey()
	if err != nil {
		return err
	}
	if !cacheable {
		cache = &filecache.Cache{}
	}
	pairs, source := s.pairs(), "the cache"
	stored, ok := cache.Get(key)
	if !ok || !unpackReference(stored, pairs) {
		source = "the base model"
		if err := s.computeReference(ctx); err != nil {
			return err
		}
		_ = cache.Put(key, packReference(pairs)) // a full disk costs the next run time and nothing else
	}
	if err := s.Inputs.LayOutHeldOut(s.Config); err != nil {
		return err
	}
	s.Log().Info(fmt.Sprintf("reference log-probabilities of %d pairs from %s in %.1f s",
		len(pairs),
		source,
		time.Since(started).Seconds()))
	return nil
}

// pairs lists all pairs of a stage. The loaders give out these same pairs, so that what is written here reaches the
// steps.
func (s *Stage) pairs() (all []*batch.Pair) {
	sets := s.Inputs.Sets
	for _, pairs := range [][]batch.Pair{sets.Main.Pairs, sets.Buffer.Pairs, sets.HeldOut.Pairs} {
		for i := range pairs {
			all = append(all, &pairs[i])
		}
	}
	return all
}

// referenceKey names the log-probabilities by everything that they depend on: the weights, the tokens, how these lie in
// batches, and the programs, whose keys change with whatever rounds otherwise. Programs of the Go backend have no key,
// and ok is false.
func (s *Stage) referenceKey() (key string, ok bool, err error) {
	model, err := s.Inputs.Checkpoint.Digest()
	if err != nil {
		return "", false, err
	}
	c := s.Config
	parts := [][]byte{
		[]byte(referenceMagic),
		model,
		fmt.Append(nil, s.Inputs.Shapes, c.PerDeviceTrainBatchSize, c.PerDeviceEvalBatchSize),
	}
	for _, program := range s.Plan.Programs.References {
		if program.Key == "" {
			return "", false, nil
		}
		parts = append(parts, []byte(program.Key))
	}
	sets := s.Inputs.Sets
	tokens := fmt.Append(nil, len(sets.Main.Pairs), len(sets.Buffer.Pairs), len(sets.HeldOut.Pairs))
	for _, p := range s.pairs() {
		for _, sequence := range []batch.Sequence{p.Chosen, p.Rejected} {
			tokens = binary.AppendUvarint(tokens, uint64(sequence.PromptLength))
			tokens = binary.AppendUvarint(tokens, uint64(len(sequence.IDs)))
			for _, id := range sequence.IDs {
				tokens = binary.AppendUvarint(tokens, uint64(id))
			}
		}
	}
	return filecache.Key(append(parts, tokens)...), true, nil
}

// computeReference runs the reference model over every pair once.
func (s *Stage) computeReference(ctx context.Context) error {
	sets, c := s.Inputs.Sets, s.Config
	for _, pairs := range [][]batch.Pair{sets.Main.Pairs, sets.Buffer.Pairs} {
		loader := &batch.Loader[batch.Pair]{Rows: pairs, Size: c.PerDeviceTrainBatchSize * c.Devices}
		done := 0
		for examples := range loader.Peek(loader.MicroBatches()) {
			m, err := step.LayOut(examples, s.Inputs.Shapes, c.Devices)
			if err == nil {
				err = s.computeMicroBatch(ctx, m, pairs[done:done+len(examples)])
			}
			if err != nil {
				return err
			}
			done += len(examples)
		}
	}
	done := 0
	for _, m := range s.Inputs.HeldOut {
		if err := s.computeMicroBatch(ctx, m, sets.HeldOut.Pairs[done:done+m.Samples()]); err != nil {
			return err
		}
		done += m.Samples()
	}
	return nil
}

// computeMicroBatch gives the pairs of a micro-batch their reference log-probabilities.
func (s *Stage) computeMicroBatch(ctx context.Context, m step.MicroBatch, pairs []batch.Pair) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w while the reference log-probabilities were computed; nothing to save", usage.ErrInterrupted)
	}
	for i := range m.Batches { // the compiled program has this input, which it does not read
		m.Batches[i].Reference = make([]float32, m.Batches[i].Targets)
	}
	values, err := s.Trainer.ReferenceMicroBatch(m)
	if err != nil {
		return fmt.Errorf("reference log-probabilities: %w", err)
	}
	for i, b := range m.Batches {
		if err := assignReference(b, values[i], pairs[:len(b.IDs)]); err != nil {
			return err
		}
		pairs = pairs[len(b.IDs):]
	}
	return nil
}

// assignReference gives the pairs of a batch the values of its targets. The targets of a response lie in the batch in
// the order of its tokens.
func assignReference(b batch.Batch, values []float32, pairs []batch.Pair) error {
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

// packReference encodes the log-probabilities of pairs as they lie on disk: little-endian float32, chosen and rejected
// in turn.
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

// unpackReference decodes them into the pairs that the key names; it returns false where the length does not fit.
func unpackReference(data []byte, pairs []*batch.Pair) bool {
	want := 0
	for _, p := range pairs {
		want += 4 * (p.Chosen.TargetCount() + p.Rejected.TargetCount())
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
		p.ChosenReference, p.RejectedReference = take(p.Chosen.TargetCount()), take(p.Rejected.TargetCount())
	}
	return true
}
