package evaluate

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// Answer is an answer that a model generated.
type Answer struct {
	Text  string  // without special tokens
	IDs   []int32 // the generated tokens, including an end token
	Ended bool    // by an end token, not by the limit of tokens
}

// GenerateAnswers generates a greedy answer of at most maxTokens tokens to each prompt.
func GenerateAnswers(ctx context.Context, g *mistral.Generator, format datasets.TextFormat, prompts []datasets.Prompt,
	maxTokens int) ([]Answer, error) {
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
	answers := make([]Answer, len(prompts))
	for i, c := range completions {
		answers[i] = Answer{format.Tokenizer.Decode(c.IDs, true), c.IDs, c.Stop == mistral.StopEOS}
	}
	return answers, nil
}
