package mistral

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"golang.org/x/sync/errgroup"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// Score says how probable a response is after its prompt.
type Score struct {
	LogProb       float64   // log-probability of the response in nats: the sum of TokenLogProbs in float64
	Tokens        int       // tokens of the response
	Greedy        bool      // every token is the most probable one of its place; true when there is none
	TokenLogProbs []float32 // of each token of the response given all before it
}

// Scorer computes the log-probabilities of responses. It may be used by several goroutines at once.
type Scorer struct {
	devices     []deviceScorer
	batchTokens int // tokens of a batch, roughly
}

// NewScorer returns a scorer of the network with these base weights and, in front of them unless nil, overlay: the
// policy. Without overlay it is the reference. It computes in dtype. Both sets stay the caller's; they are read at
// each call of Score, so overlay may be trained on between calls, but keeps its names.
//
// Where the weights lie on a mesh, every device must have all of them; the devices then share the batches, each of
// which is computed as on one device.
func NewScorer(d *device.Device, c config.Config, base, overlay *device.Tensors, dtype dtypes.DType) *Scorer {
	s := &Scorer{batchTokens: batchTokensGPU}
	if d.Platform() != device.PlatformCUDA {
		s.batchTokens = batchTokensCPU
	}
	for _, n := range (network{config: c, base: base, masters: overlay, dtype: dtype}).perDevice() {
		s.devices = append(s.devices, newScorer(d.At(n.deviceNumber), n))
	}
	return s
}

// WithBF16x3 lets a scorer in float32 multiply numbers rounded to 16 bits where that is faster (see
// graph.Program.WithBF16x3), before its first Score. Log-probabilities then differ some thirty times as much as
// they do for sums in another order: on SmolLM2, of whole answers, by 7e-4 nat (bfpo/evaluate's
// TestEvaluationGolden). It returns s.
func (s *Scorer) WithBF16x3() *Scorer {
	for _, device := range s.devices {
		device.layer.WithBF16x3()
		device.head.WithBF16x3()
	}
	return s
}

// Close frees the compiled programs. The weights stay.
func (s *Scorer) Close() {
	for _, device := range s.devices {
		device.close()
	}
}

// Score returns the scores of sequences in their order. Sequences with the same prompt, and neighbours, share what
// they begin with in the computation, so that the options of a question cost little more than the question. A
// sequence's score does not depend on the others (but for the rounding of sums).
//
// An error names the row that has no prompt (the first token of a response needs a token before it), a token
// outside the vocabulary, or more tokens than Config.MaxPositionEmbeddings (the last one, which predicts nothing,
// not counted). An empty response scores 0.
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
		for _, logp := range scores[row].TokenLogProbs {
			scores[row].LogProb += float64(logp)
		}
	}
	return scores, nil
}

// runAll lets the devices take the batches in turn. No two batches have tokens of one sequence.
func (s *Scorer) scoreBatches(ctx context.Context, batches []*scoreBatch, scores []Score) error {
	group, ctx := errgroup.WithContext(ctx)
	var taken atomic.Int64
	for _, device := range s.devices {
		group.Go(func() error {
			for i := taken.Add(1) - 1; i < int64(len(batches)); i = taken.Add(1) - 1 {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := device.scoreBatch(batches[i], scores); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (s deviceScorer) checkSequence(q Sequence) error {
	if len(q.PromptIDs) == 0 && len(q.ResponseIDs) > 0 {
		return errors.New("the prompt is empty: the first token of the response has nothing that predicts it (put the BOS token there)")
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

// run computes a batch and enters its log-probabilities into the scores of all sequences.
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
