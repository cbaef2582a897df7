package data

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
)

// ReadPrompts reads the prompts of a file, or of another data set, that a model is to answer. log gets a line about
// rows that are not used, and one about prompts of text if t has a chat template, which does not apply to them.
func ReadPrompts(ctx context.Context, c recipe.Config, name string, t models.ChatTokenizer, hub *hub.Hub,
	log *slog.Logger,
) ([]datasets.Prompt, error) {
	prompts, count, err := datasets.ReadPrompts(ctx, name, "", hub, c.RefusesBadRows())
	if err != nil {
		return nil, err
	}
	for _, notice := range count.DroppedNotices() {
		log.Warn(notice)
	}
	texts := 0
	for _, p := range prompts {
		if p.Messages == nil {
			texts++
		}
	}
	if texts > 0 && !t.UsesDefaultTemplate {
		log.Warn(fmt.Sprintf("%s: %d of %d prompts are texts, which the model continues without its chat template; "+
			`write {"messages": [{"role": "user", "content": "…"}]} to have it applied`, name, texts, len(prompts)))
	}
	return prompts, nil
}
