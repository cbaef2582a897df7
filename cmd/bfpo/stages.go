package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/pipeline"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/redteam"
	"github.com/bfpo-go/bfpo/bfpo/rundir"
	"github.com/bfpo-go/bfpo/bfpo/train"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// runPipeline runs all stages of a recipe.
func runPipeline(ctx context.Context, o *options, args []string) error {
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if o.config == "" {
		return usage.Errorf("no recipe: give -config=NAME|FILE.yaml; quickstart, tiny and zephyr-7b are built in")
	}
	if r := c.ResumeFromCheckpoint; r != recipe.On && r != recipe.Off {
		return usage.Errorf("resume_from_checkpoint=%s names a checkpoint of one stage: "+
			"with true, each stage continues from its own newest checkpoint", r)
	}
	if len(c.Stages) == 0 {
		return usage.Errorf("recipe %q has no stages: run it with `bfpo sft` or `bfpo train`, or move its training keys "+
			"below stages, as in the mine.yaml of `bfpo init`", o.config)
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, o.config)
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	return o.addResumeHint(pipeline.Run(ctx, rt, c, dir), dir)
}

// runSFT runs one supervised stage.
func runSFT(ctx context.Context, o *options, args []string) error {
	return runStage(ctx, o, "sft", args)
}

// runTrain runs one preference stage.
func runTrain(ctx context.Context, o *options, args []string) error {
	return runStage(ctx, o, "train", args)
}

// runRedTeam makes a red-teaming set, if there are questions for it, and trains on the set.
func runRedTeam(ctx context.Context, o *options, args []string) error {
	o.set.StringVar(&o.prompts, "prompts", "",
		"`file` of questions, which the model answers twice each; the judged pairs of answers are the training set\n"+
			"(without questions, the recipe's dataset_mixer is the set)")
	o.set.StringVar(&o.judge, "judge", "",
		"`judge` that rates the answers: a classifier model, openai:URL[#MODEL] or perspective")
	if err := o.parse(args); err != nil {
		return err
	}
	c, err := o.recipe()
	if err != nil {
		return err
	}
	if o.config == "" {
		return usage.Errorf("no recipe: give -config=NAME|FILE.yaml; tiny/redteam and zephyr-7b/redteam are built in")
	}
	if r := c.ResumeFromCheckpoint; r != recipe.On && r != recipe.Off {
		return usage.Errorf("resume_from_checkpoint=%s names a checkpoint: "+
			"with true, redteam continues from its own newest checkpoint", r)
	}
	rt, done, err := o.runtime(c)
	if err != nil {
		return err
	}
	defer done()
	dir := output(c, "redteam")
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	return o.addResumeHint(redteam.Run(ctx, rt, c, dir), dir)
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
	release, err := claim(dir)
	if err != nil {
		return err
	}
	defer release()
	if _, _, err = train.Train(ctx, rt, c, dir); err == nil {
		o.log().Info(fmt.Sprintf("report: %s; next: bfpo chat -model=%s", filepath.Join(dir, rundir.Report),
			usage.Argument(dir)))
	}
	return o.addResumeHint(err, dir)
}

// addResumeHint adds the command that resumes the run to the error of an interrupted run that has left something.
func (o *options) addResumeHint(err error, dir string) error {
	if !errors.Is(err, usage.ErrInterrupted) && !errors.Is(err, context.Canceled) {
		return err
	}
	left, _ := os.ReadDir(dir)
	if !slices.ContainsFunc(left, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") }) { // only a lock
		return fmt.Errorf("%w; nothing was written", err)
	}
	return fmt.Errorf("%w\n  to resume: bfpo %s -config=%s -out=%s -set=resume_from_checkpoint=true "+
		"(with the other flags as before)", err, o.command.name, usage.Argument(o.config), usage.Argument(dir))
}

// stageRecipe loads a recipe of one stage; kind is sft or train.
func (o *options) stageRecipe(kind string) (recipe.Config, error) {
	c, err := o.recipe()
	if err != nil {
		return c, err
	}
	if len(c.Stages) > 0 {
		return c, usage.Errorf("recipe %q has stages: run it with `bfpo run -config=%s`", o.config,
			usage.Argument(o.config))
	}
	return c.ForStage(kind)
}
