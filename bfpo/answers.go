package bfpo

import (
	"context"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// Answers are the greedy answers of a recipe's model to prompts, of at most maxTokens tokens each, in the order of the prompts.
func Answers(ctx context.Context, rt Runtime, c Config, prompts []datasets.Prompt, maxTokens int) ([]string, error) {
	checkpoint, err := OpenModel(ctx, c.Model, rt.Hub, rt.Cache, rt.notice)
	if err != nil {
		return nil, err
	}
	defer checkpoint.Close()
	language, err := NewLanguage(checkpoint, c.ChatTemplate)
	if err != nil {
		return nil, err
	}
	model, err := mistral.LoadOn(rt.Device, c.Copies(), checkpoint, c.ComputeType())
	if err != nil {
		return nil, err
	}
	defer model.Close()
	generator := mistral.NewGenerator(rt.Device, model.Config, model.Base, nil, c.ComputeType())
	defer generator.Close()
	format := c.textFormat(language, model.Config.MaxPositionEmbeddings)
	return evaluate.GenerateAnswers(ctx, generator, format, prompts, maxTokens)
}
