package data

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/config"
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
		log.Warn(fmt.Sprintf("%s: %d of %d prompts are texts, which the model continues without its chat template; to "+
			`have it applied, give a .jsonl file of rows {"messages": [{"role": "user", "content": "…"}]}`,
			name, texts, len(prompts)))
	}
	return prompts, nil
}

// ReadEvaluation reads the held-out pairs and the prompts of a stage eval, which may lack either. c is the recipe of
// the stage that trains the model, and t the model's tokenizer. See ReadHeldOut and ReadPrompts.
func ReadEvaluation(ctx context.Context, c recipe.Config, m config.Config, t models.ChatTokenizer, e recipe.EvalStage,
	hub *hub.Hub, cache string, log *slog.Logger,
) (set Set, prompts []datasets.Prompt, err error) {
	c.Objective = "bfpo" // held-out rows are pairs, whatever the stage trains on
	if len(e.DatasetMixer) > 0 {
		set, err = ReadHeldOut(ctx, c, m, t, e.DatasetMixer, e.DatasetSplits[0], hub, cache)
		if err != nil {
			return set, nil, err
		}
	}
	if e.Prompts == "" {
		return set, nil, nil
	}
	if prompts, err = ReadPrompts(ctx, c, e.Prompts, t, hub, log); err != nil {
		err = fmt.Errorf("prompts: %w", err)
	}
	return set, prompts, err
}
