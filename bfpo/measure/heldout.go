package measure

import (
	"context"
	"errors"
	"log/slog"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/evaluate"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// HeldOut is what a model makes of the held-out pairs and the prompts of a stage eval.
type HeldOut struct {
	Preferences []evaluate.Preference // of the pairs, in their order
	Prompts     []datasets.Prompt
	Answers     []evaluate.Answer // greedy, to the prompts
	Tokens      string            // of StoredHeldOut: a digest of the pairs and prompts as tokens
}

// EvaluateHeldOut loads the recipe's model, scores the pairs of e and answers its prompts with at most maxTokens tokens
// each. e may lack either. log gets what there is to know about the rows and prompts.
func EvaluateHeldOut(ctx context.Context, rt models.Runtime, c recipe.Config, e recipe.EvalStage, maxTokens int,
	log *slog.Logger,
) (out HeldOut, err error) {
	rows, err := openHeldOut(ctx, rt, c, e, log)
	if err != nil {
		return out, err
	}
	defer rows.checkpoint.Close()
	return evaluateRows(ctx, rt, c, rows, maxTokens)
}

// heldOutRows is what a model is measured on.
type heldOutRows struct {
	checkpoint *pretrained.Model
	language   models.ChatTokenizer
	pairs      []batch.Pair
	prompts    []datasets.Prompt
}

// openHeldOut opens the recipe's model and reads the pairs and prompts of e. Close the checkpoint after use.
func openHeldOut(ctx context.Context, rt models.Runtime, c recipe.Config, e recipe.EvalStage, log *slog.Logger) (
	rows heldOutRows, err error) {
	rows.checkpoint, err = models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return rows, err
	}
	var set data.Set
	if rows.language, err = models.NewChatTokenizer(ctx, rows.checkpoint, c); err == nil {
		set, rows.prompts, err = data.ReadEvaluation(ctx, c, rows.checkpoint.Config, rows.language, e, rt.Hub, rt.Cache, log)
	}
	if err != nil {
		return rows, errors.Join(err, rows.checkpoint.Close())
	}
	if len(set.Drops)+len(set.Notes) > 0 {
		log.Warn(set.String())
	}
	rows.pairs = set.Pairs
	return rows, nil
}

// GenerateAnswers returns the greedy answers of a recipe's model, in the order of the prompts, each of at most
// maxTokens tokens and without special tokens.
func GenerateAnswers(ctx context.Context, rt models.Runtime, c recipe.Config, prompts []datasets.Prompt,
	maxTokens int) ([]string, error) {
	checkpoint, err := models.Open(ctx, c.Model, rt.Hub, rt.Cache, rt.Log())
	if err != nil {
		return nil, err
	}
	defer checkpoint.Close()
	language, err := models.NewChatTokenizer(ctx, checkpoint, c)
	if err != nil {
		return nil, err
	}
	rows := heldOutRows{checkpoint: checkpoint, language: language, prompts: prompts}
	out, err := evaluateRows(ctx, rt, c, rows, maxTokens)
	texts := make([]string, len(out.Answers))
	for i, a := range out.Answers {
		texts[i] = a.Text
	}
	return texts, err
}

// evaluateRows loads the weights of a model, scores pairs and answers prompts. There may be none of either.
func evaluateRows(ctx context.Context, rt models.Runtime, c recipe.Config, rows heldOutRows, maxTokens int) (
	out HeldOut, err error) {
	dtype := c.ComputeDType(rt.Device.FastBF16())
	model, err := mistral.LoadOnMesh(rt.Device, c.InferenceMesh(), rows.checkpoint, dtype)
	if err != nil {
		return out, err
	}
	defer model.Close()
	if len(rows.pairs) > 0 {
		scorer := mistral.NewScorer(rt.Device, model.Config, model.Base, nil, dtype)
		defer scorer.Close()
		if out.Preferences, err = evaluate.ScorePreferences(ctx, scorer, rows.pairs); err != nil {
			return out, err
		}
	}
	if out.Prompts = rows.prompts; len(rows.prompts) == 0 {
		return out, nil
	}
	generator := mistral.NewGenerator(rt.Device, model.Config, model.Base, nil, dtype)
	defer generator.Close()
	format := data.NewTextFormat(c, rows.language, model.Config.MaxPositionEmbeddings)
	out.Answers, err = evaluate.GenerateAnswers(ctx, generator, format, rows.prompts, maxTokens)
	return out, err
}
