package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/data"
	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/preview"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runData reads the rows of a recipe and prints what it would train on.
func runData(ctx context.Context, o *options, args []string) error {
	asJSON := o.set.Bool("json", false, "print one JSON object instead of text")
	rows := o.set.Int("rows", 3, "print `N` rows of each set")
	if err := o.parse(args); err != nil {
		return err
	}
	if *rows < 0 {
		return usage.Errorf("-rows=%d: must be 0 or more", *rows)
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	stages, err := o.trainingStages(ctx, c)
	if err != nil {
		return err
	}
	var views []preview.Stage
	add := func(view preview.Stage, language models.ChatTokenizer, err error) error {
		if err != nil {
			return err
		}
		views = append(views, view)
		if !*asJSON {
			view.Print(o.std.out, language, *rows)
		}
		return nil
	}
	last := c
	for _, stage := range stages {
		if stage.Model == "" {
			stage.Model = last.Model // the models of all stages have the same vocabulary
		}
		last = stage
		if err := add(o.viewStage(ctx, stage)); err != nil {
			return err
		}
	}
	for _, s := range c.Stages {
		if s.Kind == "eval" && (len(s.Eval.DatasetMixer) > 0 || s.Eval.Prompts != "") {
			view, language, err := o.viewEvalStage(ctx, last, s.Eval)
			view.NoteOverlap(views[:len(stages)])
			if err := add(view, language, err); err != nil {
				return err
			}
		}
	}
	if *asJSON {
		return writeLine(o.std.out, map[string]any{"stages": views[:len(stages)], "evaluations": views[len(stages):]})
	}
	return nil
}

// trainingStages returns the training stages of a recipe. A recipe without stages is a single stage. If it names no
// objective, its rows decide: pairs make a preference stage and dialogues a supervised one.
func (o *options) trainingStages(ctx context.Context, c recipe.Config) ([]recipe.Config, error) {
	var stages []recipe.Config
	for _, s := range c.Stages {
		if s.Kind != "eval" {
			stages = append(stages, s.Config)
		}
	}
	if len(c.Stages) > 0 {
		return stages, nil
	}
	kinds := []string{"train", "sft"}
	if c.Origin("objective") != "" || c.Origin("loss_type") != "" {
		kinds = kinds[:1]
		if c.Objective == "sft" {
			kinds = []string{"sft"}
		}
	}
	var errs []error
	for _, kind := range kinds {
		stage, err := c.ForStage(kind)
		if err == nil && len(kinds) > 1 {
			_, _, err = o.viewStage(ctx, stage)
		}
		if err == nil {
			return []recipe.Config{stage}, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}

// viewStage reads the rows of a stage and describes them.
func (o *options) viewStage(ctx context.Context, c recipe.Config) (v preview.Stage, l models.ChatTokenizer, err error) {
	checkpoint, l, err := o.open(ctx, c)
	if err != nil {
		return v, l, err
	}
	sets, err := data.Read(ctx, c, checkpoint.Config, l, o.hub(), "")
	if err := errors.Join(err, checkpoint.Close()); err != nil {
		return v, l, err
	}
	return preview.New(c.Objective, sets.NonEmpty(), 0), l, nil
}

// viewEvalStage reads the held-out pairs and the prompts of an evaluation of the model that c trains, and describes the
// pairs.
func (o *options) viewEvalStage(
	ctx context.Context, c recipe.Config, e recipe.EvalStage,
) (v preview.Stage, l models.ChatTokenizer, err error) {
	checkpoint, l, err := o.open(ctx, c)
	if err != nil {
		return v, l, err
	}
	defer checkpoint.Close()
	set, prompts, err := data.ReadEvaluation(ctx, c, checkpoint.Config, l, e, o.hub(), "", o.log())
	if err != nil {
		return v, l, fmt.Errorf("stage eval: %w", err)
	}
	var sets []data.Set
	if set.Rows > 0 {
		sets = append(sets, set)
	}
	return preview.New("eval", sets, len(prompts)), l, nil
}
