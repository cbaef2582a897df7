package redteam

import (
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/usage"
)

// readStages returns the training stage of a recipe and what to evaluate before and after it. Of a recipe with several
// stages it takes the last preference stage, and lets it start from the model that the recipe names.
func readStages(c recipe.Config) (stage recipe.Config, eval recipe.EvalStage, err error) {
	stage, eval = c, recipe.EvalStage{DatasetSplits: []string{"test"}}
	for _, s := range c.Stages {
		switch s.Kind {
		case "train":
			stage = s.Config
		case "eval":
			eval = s.Eval
		}
	}
	if len(c.Stages) > 0 && len(stage.Stages) > 0 {
		return stage, eval, c.UsageErrorf("stages", "no stage trains on preferences, which redteam needs")
	}
	if stage.Model == "" {
		stage.Model = c.Model
	}
	if stage.Model == "" {
		return stage, eval, usage.Errorf("no model: give -model=DIR|HUB_ID|FILE.gguf, or model_name_or_path in the recipe")
	}
	stage.UseBuffer = false
	if eval.Judge == "" {
		eval.Judge = stage.RedteamJudge
	}
	if stage.RedteamPrompts != "" {
		if stage.RedteamJudge == "" || stage.RedteamJudge == "none" {
			return stage, eval, stage.UsageErrorf("redteam_judge",
				"the answers to redteam_prompts need a judge: -judge=DIR|HUB_ID|openai:URL|perspective")
		}
		// The folder that will hold the pairs. It has no final path yet, but a preference stage must name a set.
		stage.DatasetMixer, stage.EvalDatasetMixer = recipe.Mixer{{Name: splitName, Fraction: 1}}, nil
	}
	stage, err = stage.ForStage("train")
	return stage, eval, err
}
