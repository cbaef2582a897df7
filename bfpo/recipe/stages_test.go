package recipe

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// pipelineRecipes returns built-in recipes: pipeline as all, and the stages z/sft and z/pref.
func pipelineRecipes(pipeline string) fstest.MapFS {
	return fstest.MapFS{
		"all.yaml":    {Data: []byte(pipeline)},
		"z/sft.yaml":  {Data: []byte("model_name_or_path: org/base\ndataset_mixer: {org/chat: 1}\nlearning_rate: 1e-6\n")},
		"z/pref.yaml": {Data: []byte("dataset_mixer: {org/pairs: 1}\nbeta: 0.2\nlearning_rate: 2e-6\n")},
	}
}

func TestStages(t *testing.T) {
	recipes := pipelineRecipes("model_name_or_path: tiny\nseed: 7\nlearning_rate: 9\nstages:\n- sft: z/sft\n" +
		"- train: {config: z/pref, beta: 0.3}\n" +
		"- eval: {dataset_mixer: {quickstart/heldout: 1}, prompts: quickstart/prompts}\n")
	c, err := Load(recipes, "all", []string{"max_steps=5"})
	if err != nil {
		t.Fatal(err)
	}
	type summary struct {
		Kind, Model, Objective string
		Rate, Beta             float64
		Seed                   int64
		MaxSteps               int
	}
	var got []summary
	for _, s := range c.Stages[:2] {
		c := s.Config
		got = append(got, summary{s.Kind, c.Model, c.Objective, c.LearningRate, c.Beta, c.Seed, c.MaxSteps})
	}
	want := []summary{{"sft", "org/base", "sft", 1e-6, 0.1, 7, 5}, {"train", "", "bfpo", 2e-6, 0.3, 7, 5}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	eval := EvalStage{
		DatasetMixer: Mixer{{"quickstart/heldout", 1}}, DatasetSplits: []string{"test"}, Prompts: "quickstart/prompts",
	}
	if diff := cmp.Diff(Stage{Kind: "eval", Eval: eval}, c.Stages[2], ignoreOrigins()); diff != "" {
		t.Error(diff)
	}
	if c.Model != "tiny" {
		t.Errorf("the model before training is %q", c.Model)
	}
	if got := c.Stages[1].Config.Origin("beta"); got != "all.yaml:6" {
		t.Errorf("beta of the second stage is given at %s", got)
	}
}

// An objective on the command line applies to the preference stage. Without such a stage it is refused, not ignored.
func TestStagesObjectiveFlag(t *testing.T) {
	for _, set := range []string{"objective=dpo", "loss_type=sigmoid"} {
		c, err := Load(pipelineRecipes("stages: [{sft: z/sft}, {train: z/pref}]"), "all", []string{set})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := c.Stages[0].Config.Objective, c.Stages[1].Config.Objective; a != "sft" || b != "dpo" {
			t.Errorf("-set=%s: objectives %s and %s, want sft and dpo", set, a, b)
		}
		if _, err := Load(pipelineRecipes("stages: [{sft: z/sft}]"), "all", []string{set}); err == nil {
			t.Errorf("-set=%s: no error where there is no preference stage", set)
		}
	}
}

// A model on the command line is the first stage's; every later stage starts from the previous stage's model.
func TestStagesModelFlag(t *testing.T) {
	recipes := pipelineRecipes("stages: [{sft: z/sft}, {train: z/pref}, " +
		"{train: {config: z/pref, model_name_or_path: org/own}}]")
	c, err := Load(recipes, "all", []string{"model_name_or_path=org/flag"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"org/flag", "", "org/own"} {
		if got := c.Stages[i].Config.Model; got != want {
			t.Errorf("stage %d starts from the model %q, want %q", i, got, want)
		}
	}
}

func TestStagesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"stages: z/sft":                                      ":1: stages: want a list",
		"stages: []":                                         ":1: stages: want a list",
		"stages:\n- z/sft":                                   ":2: stages: want one kind and its recipe",
		"stages:\n- sft: z/sft\n  train: z/pref":             ":2: stages: want one kind and its recipe",
		"stages:\n- tune: z/sft":                             `:2: stages: "tune" is no kind of stage`,
		"stages:\n- sft: {}":                                 ":2: sft: want a recipe or a mapping of keys",
		"stages:\n- sft: [z/sft]":                            ":2: want a mapping of keys to values, got a list",
		"stages:\n- sft: {seed: 1}":                          "dataset_mixer is missing: add dataset_mixer: {",
		"stages:\n- sft: z/stf":                              "did you mean z/sft?",
		"stages:\n- sft: all":                                "a stage has no stages of its own",
		"stages:\n- sft: {config: 3}":                        ":2: config: want a string, got 3",
		"stages:\n- train:\n    config: z/pref\n    bta: 1":  ":4: bta: unknown key; did you mean beta?",
		"stages:\n- train: {config: z/pref, objective: sft}": ":2: objective: sft does not fit",

		"stages:\n- eval: {tasks: [winogrand]}": `:2: eval: tasks: task "winogrand" is unknown; did you mean winogrande?`,

		"stages:\n- eval: {tasks: winogrande, limit: -1}": ":2: eval: limit: must be 0 (all) or more, got -1",
		"stages:\n- eval: {}":                             ":2: eval: want a dataset_mixer, prompts or tasks",
		"stages:\n- eval: {prompt: x.jsonl}":              ":2: prompt: unknown key; did you mean prompts?",
		"stages:\n- eval: {prompts: [1]}":                 ":2: prompts: want a string, got a list",
	} {
		_, err := Load(pipelineRecipes(text), "all", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestStagesRoundTrip(t *testing.T) {
	recipes := pipelineRecipes("model_name_or_path: ./m\nstages: [{sft: {config: z/sft, model_name_or_path: null}}, " +
		"{train: z/pref}, {eval: {prompts: p.jsonl}}]")
	c, err := Load(recipes, "all", nil)
	if err != nil {
		t.Fatal(err)
	}
	if here, _ := filepath.Abs("."); c.Stages[2].Eval.Prompts != filepath.Join(here, "p.jsonl") {
		t.Errorf("prompts %q", c.Stages[2].Eval.Prompts)
	}
	text, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(nil, recipeFile(t, string(text)), nil)
	if diff := cmp.Diff(c, again, ignoreOrigins()); err != nil || diff != "" {
		t.Fatalf("%v\n%s\n%s", err, text, diff)
	}
}

// TestStageObjectives checks each stage's objective by itself: keys of one objective may stand beside the stages.
func TestStageObjectives(t *testing.T) {
	for text, want := range map[string]string{
		"label_smoothing: 0.1\nstages:\n- sft: {dataset_mixer: {a/b: 1}}\n" +
			"- train: {objective: dpo, dataset_mixer: {a/b: 1}}\n": "",
		"objective: exo_pair\nstages:\n- train: {label_smoothing: 0.001, dataset_mixer: {a/b: 1}}\n": "",
		"label_smoothing: 0.1\nstages:\n- train: {objective: hinge, dataset_mixer: {a/b: 1}}\n":      "hinge does not",
		"stages:\n- train: {objective: dpq, dataset_mixer: {a/b: 1}}\n":                              `"dpq" is unknown`,
		"beta: -1\nstages:\n- train: {dataset_mixer: {a/b: 1}}\n":                                    "beta: must be greater",
	} {
		recipes := fstest.MapFS{"r.yaml": {Data: []byte("model_name_or_path: tiny\n" + text)}}
		_, err := Load(recipes, "r", nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
