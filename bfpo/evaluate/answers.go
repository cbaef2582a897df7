package evaluate

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// GenerateAnswers generates a greedy answer of at most maxTokens tokens to each prompt. The answers have no special
// tokens.
func GenerateAnswers(ctx context.Context, g *mistral.Generator, format datasets.TextFormat, prompts []datasets.Prompt,
	maxTokens int) ([]string, error) {
	ids := make([][]int32, len(prompts))
	for i, p := range prompts {
		var err error
		if ids[i], err = format.EncodePrompt(ctx, p); err != nil {
			return nil, fmt.Errorf("prompt %s: %w", p.ID, err)
		}
	}
	completions, err := g.Generate(ctx, ids, mistral.GenerateOptions{MaxTokens: maxTokens}, nil)
	if err != nil {
		return nil, err
	}
	answers := make([]string, len(prompts))
	for i, c := range completions {
		answers[i] = format.Tokenizer.Decode(c.IDs, true)
	}
	return answers, nil
}
