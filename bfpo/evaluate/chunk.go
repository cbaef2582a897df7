package evaluate

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral"
)

// scoreChunk computes the log-likelihoods of a chunk of multiple-choice documents. A continuation that several
// documents score after the same context is computed once.
func scoreChunk(ctx context.Context, scorer *mistral.Scorer, p *Plan, c chunk) ([]outcome, error) {
	var sequences []mistral.Sequence
	indexOf := map[string]int{}             // in sequences, by token IDs
	indices := make([][]int, len(c.places)) // in sequences, of each document's choices
	for i, at := range c.places {
		for _, s := range p.tasks[at.task].encoded[at.document].sequences {
			key := fmt.Sprint(s.PromptIDs, s.ResponseIDs)
			n, ok := indexOf[key]
			if !ok {
				n = len(sequences)
				indexOf[key], sequences = n, append(sequences, s)
			}
			indices[i] = append(indices[i], n)
		}
	}
	scores, err := scorer.Score(ctx, sequences)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(c.places))
	for i, at := range c.places {
		for choice, n := range indices[i] {
			if math.IsNaN(scores[n].LogProb) {
				return nil, fmt.Errorf("task %s: document %d: the log-likelihood of choice %d is not a number: "+
					"check the model's weights", p.tasks[at.task].Name, at.document, choice)
			}
			outcomes[i].LogLikelihoods = append(outcomes[i].LogLikelihoods, scores[n].LogProb)
			outcomes[i].Greedy = append(outcomes[i].Greedy, scores[n].Greedy)
		}
	}
	return outcomes, nil
}

// generateChunk generates answers to the prompts of a chunk, which all belong to one task. The random numbers of a
// chunk derive from the seed and from the place of its first prompt among the task's rows.
func generateChunk(ctx context.Context, generator *mistral.Generator, vocabulary *tokenizer.Tokenizer, seed int64,
	p *Plan, c chunk) ([]outcome, error) {
	t := p.tasks[c.places[0].task]
	first := c.places[0].document
	prompts := make([][]int32, len(c.places))
	for i, at := range c.places {
		prompts[i] = t.encoded[at.document].prompt
	}
	stops := t.Generation.Until
	if id, ok := vocabulary.EOS(); ok {
		stops = append(stops[:len(stops):len(stops)], vocabulary.Token(id))
	}
	completions, err := generator.Generate(ctx, prompts, mistral.GenerateOptions{
		MaxTokens: t.Generation.MaxTokens, Temperature: t.Generation.Temperature,
		TopP: t.Generation.TopP, TopK: t.Generation.TopK,
		Seed: seed + int64(first)<<16,
		Stop: func(_ int, ids []int32) bool {
			_, found := truncateAtStops(vocabulary.Decode(ids, true), stops)
			return found
		},
	}, nil)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(c.places))
	for i, completion := range completions {
		text, _ := truncateAtStops(vocabulary.Decode(completion.IDs, true), stops)
		outcomes[i] = outcome{Answer: text, IDs: completion.IDs, Stop: completion.Stop}
	}
	return outcomes, nil
}

// truncateAtStops cuts a text before the first occurrence of each stop string, one stop string after the other, and
// reports whether it found any.
func truncateAtStops(text string, stops []string) (string, bool) {
	found := false
	for _, stop := range stops {
		if head, _, ok := strings.Cut(text, stop); ok && stop != "" {
			text, found = head, true
		}
	}
	return text, found
}
