package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/redteam"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runPipeline runs the stages of a recipe.
func runPipeline(ctx context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if o.config == "" {
		return usage.Errorf("no recipe: -config=NAME or a YAML file; quickstart, tiny and zephyr-7b are built in")
	}
	if r := c.ResumeFromCheckpoint; r != recipe.On && r != recipe.Off {
		return usage.Errorf("resume_from_checkpoint: stages go on with true, each from its own newest checkpoint; %s is one stage's", r)
	}
	if len(c.Stages) == 0 {
		return usage.Errorf("recipe %q has no stages: run it with `bfpo sft` or `bfpo train`, or name one that has, such as quickstart", o.config)
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, o.config)
	return o.howToGoOn(pipeline.Run(ctx, rt, c, dir), dir)
}

func runSFT(ctx context.Context, o *options, args []string) error {
	return runStage(ctx, o, "sft", args)
}

func runTrain(ctx context.Context, o *options, args []string) error {
	return runStage(ctx, o, "train", args)
}

// runRedTeam makes a red-teaming set, if -prompts names questions, and trains on it.
func runRedTeam(ctx context.Context, o *options, args []string) error {
	o.set.StringVar(&o.prompts, "prompts", "", "`file` of questions that the model answers twice each; the judged pairs are the set (dataset_mixer is, when not given)")
	o.set.StringVar(&o.judge, "judge", "", "`judge` of the answers: a classifier's model, openai:URL[#MODEL] or perspective")
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if o.config == "" {
		return usage.Errorf("no recipe: -config=NAME or a YAML file; tiny/redteam and zephyr-7b/redteam are built in")
	}
	if r := c.ResumeFromCheckpoint; r != recipe.On && r != recipe.Off {
		return usage.Errorf("resume_from_checkpoint: redteam goes on with true, from its own newest checkpoint; %s is another run's", r)
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, "redteam")
	return o.howToGoOn(redteam.Run(ctx, rt, c, dir), dir)
}

// runStage runs one training stage.
func runStage(ctx context.Context, o *options, kind string, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.stageRecipe(kind)
	if err != nil {
		return err
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	name := o.config
	if name == "" {
		name = kind
	}
	dir := output(c, name)
	_, _, err = train.Train(ctx, rt, c, dir)
	return o.howToGoOn(err, dir)
}

// howToGoOn adds to the error of an interrupted run how to resume it.
func (o *options) howToGoOn(err error, dir string) error {
	if !errors.Is(err, usage.ErrInterrupted) && !errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\n  to go on: bfpo %s -config=%s -out=%s -set=resume_from_checkpoint=true (and the other flags as before)", err,
		o.command.name, o.config, dir)
}

// stageRecipe loads a recipe for one stage of a kind.
func (o *options) stageRecipe(kind string) (recipe.Config, error) {
	c, err := o.recipe()
	if err != nil {
		return c, err
	}
	if len(c.Stages) > 0 {
		return c, usage.Errorf("recipe %q has stages: run it with `bfpo run -config=%s`", o.config, o.config)
	}
	return c.As(kind)
}
