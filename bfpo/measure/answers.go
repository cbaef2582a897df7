package measure

import (
	"context"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/mistral"
)

// GenerateAnswers returns the greedy answers of a recipe's model, in the order of the prompts, each of at most
// maxTokens tokens.
func GenerateAnswers(ctx context.Context, rt models.Runtime, c recipe.Config, prompts []datasets.Prompt,
	maxTokens int) ([]string, error) {
	checkpoint, err := models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return nil, err
	}
	defer checkpoint.Close()
	if notice := checkpoint.GenerationNotice(); notice != "" {
		rt.Log().Warn(notice)
	}
	tokenizer, err := models.NewChatTokenizer(ctx, checkpoint, c)
	if err != nil {
		return nil, err
	}
	model, err := mistral.LoadOnMesh(rt.Device, c.InferenceMesh(), checkpoint, c.ComputeDType(rt.Device.FastBF16()))
	if err != nil {
		return nil, err
	}
	defer model.Close()
	generator := mistral.NewGenerator(rt.Device, model.Config, model.Base, nil, c.ComputeDType(rt.Device.FastBF16()))
	defer generator.Close()
	format := data.NewTextFormat(c, tokenizer, model.Config.MaxPositionEmbeddings)
	return evaluate.GenerateAnswers(ctx, generator, format, prompts, maxTokens)
}
