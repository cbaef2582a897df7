package mistral

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// ErrNotFinite is wrapped by errors about logits and log-probabilities that are NaN or infinite.
var ErrNotFinite = errors.New("the weights are not finite, or have diverged")

// Score is the log-probability of a response given its prompt.
type Score struct {
	LogProb       float64   // log-probability of the response in nats: the sum of TokenLogProbs in float64
	Tokens        int       // number of tokens of the response
	Greedy        bool      // every token is the most probable one at its position; true for an empty response
	TokenLogProbs []float32 // log-probability of each token of the response given all tokens before it
}

// Scorer computes the log-probabilities of responses. It may be used by several goroutines at once.
type Scorer struct {
	devices     []deviceScorer
	batchTokens int // approximate number of tokens of a batch
}

// NewScorer returns a scorer of the network with the given base weights and, for the policy, masters that replace
// base weights of the same names. With nil masters it scores with the base weights, as the reference model does. It
// computes in dtype. The caller keeps both sets. Every call of Score reads them, so that the values of masters may
// change between calls, but not its names.
//
// If the weights are on a mesh, every device must have all of them. The devices then share the batches, and each
// batch gives the same numbers as on one device.
func NewScorer(d *device.Device, c config.Config, base, masters *device.TensorSet, dtype dtypes.DType) *Scorer {
	s := &Scorer{batchTokens: batchTokensGPU}
	if d.Platform() != device.PlatformCUDA {
		s.batchTokens = batchTokensCPU
	}
	for _, n := range (network{config: c, base: base, masters: masters, dtype: dtype}).perDevice() {
		s.devices = append(s.devices, newScorer(d.At(n.deviceNumber), n))
	}
	return s
}

// WithBF16x3 lets a float32 scorer multiply numbers as sums of bfloat16 where that is faster (see
// device.Program.WithBF16x3). It must be called before the first Score, and returns s. The log-probabilities then
// differ some thirty times as much as they do between two orders of summation: on SmolLM2 by 7e-4 nat for whole
// answers (TestEvaluationGolden in bfpo/evaluate).
func (s *Scorer) WithBF16x3() *Scorer {
	for _, own := range s.devices {
		own.layer.WithBF16x3()
		own.head.WithBF16x3()
	}
	return s
}

// Close frees the compiled programs. The weights stay.
func (s *Scorer) Close() {
	for _, own := range s.devices {
		own.close()
	}
}

// Score returns the scores of sequences in their order. Shared prefixes are computed once, so that the options of a
// question cost little more than the question. A sequence's score does not depend on the other sequences, except
// for the rounding of sums. An empty response scores 0.
//
// An error names the row that has no prompt (the first token of a response is predicted by the token before it), a
// token outside the vocabulary, or more tokens than Config.MaxPositionEmbeddings; the last token of a response
// predicts nothing and does not count.
func (s *Scorer) Score(ctx context.Context, sequences []Sequence) ([]Score, error) {
	scores := make([]Score, len(sequences))
	for row, q := range sequences {
		if err := s.devices[0].checkSequence(q); err != nil {
			return nil, fmt.Errorf("score: row %d: %w", row, err)
		}
		n := len(q.ResponseIDs)
		scores[row] = Score{Tokens: n, Greedy: true, TokenLogProbs: make([]float32, n)}
	}
	if err := s.scoreBatches(ctx, makeBatches(groupByPrefix(sequences), s.batchTokens), scores); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	for row := range scores {
		for i, logp := range scores[row].TokenLogProbs {
			scores[row].LogProb += float64(logp)
			if math.IsNaN(float64(logp)) || math.IsInf(float64(logp), 0) {
				return nil, fmt.Errorf("score: row %d: the log-probability of token %d of the response is %v: %w",
					row, i, logp, ErrNotFinite)
			}
		}
	}
	return scores, nil
}

// scoreBatches distributes the batches among the devices. They can write into scores concurrently, because no two
// batches have targets of the same sequence.
func (s *Scorer) scoreBatches(ctx context.Context, batches []*scoreBatch, scores []Score) error {
	group, ctx := errgroup.WithContext(ctx)
	var taken atomic.Int64
	for _, own := range s.devices {
		group.Go(func() error {
			for i := taken.Add(1) - 1; i < int64(len(batches)); i = taken.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := own.scoreBatch(batches[i], scores); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// checkSequence returns an error unless the network can score the sequence.
func (s deviceScorer) checkSequence(q Sequence) error {
	if len(q.PromptIDs) == 0 && len(q.ResponseIDs) > 0 {
		return errors.New("the prompt is empty: nothing predicts the first token of the response " +
			"(begin the prompt with the BOS token)")
	}
	// The last token of a response is predicted but never read, so it needs no position.
	if n, limit := len(q.PromptIDs)+max(len(q.ResponseIDs)-1, 0), s.config.MaxPositionEmbeddings; n > limit {
		return fmt.Errorf("prompt and response have %d tokens and the model %d positions (max_position_embeddings)",
			len(q.PromptIDs)+len(q.ResponseIDs), limit)
	}
	if err := s.checkTokens(q.PromptIDs); err != nil {
		return fmt.Errorf("prompt: %w", err)
	}
	if err := s.checkTokens(q.ResponseIDs); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	return nil
}

// scoreBatch computes the log-probabilities of a batch's targets and stores them in the scores of their sequences.
func (s deviceScorer) scoreBatch(b *scoreBatch, scores []Score) error {
	x, err := s.hiddenStates(b)
	if err != nil {
		return err
	}
	defer finalize(x)
	for targets := range slices.Chunk(b.targets, b.chunk) {
		logp, greedy, err := s.logProbs(x, b.targetTensors(targets))
		if err != nil {
			return err
		}
		for n, target := range targets {
			for _, t := range target.tokens {
				score := &scores[t.sequence]
				score.TokenLogProbs[t.token] = logp[n]
				score.Greedy = score.Greedy && greedy[n]
			}
		}
	}
	return nil
}
