package recipe

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bfpo-go/bfpo/bfpo/usage"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

const studyText = `
model_name_or_path: tiny
dataset_mixer: {quickstart/safety: 0.1}
learning_rate: 1e-3
study:
  settings:
    - {name: A, objective: bfpo}
    - {name: B, loss_type: sigmoid, preference_by: safe_first}
  grid: {beta: [0.1, 0.2], max_steps: [3]}
  seeds: [7, 8]
  dataset_mixer: {quickstart/heldout: 1}
`

func loadStudy(text string, sets ...string) (Config, Study, error) {
	return LoadStudy(fstest.MapFS{"s.yaml": {Data: []byte(text)}}, "s", sets)
}

func TestLoadStudy(t *testing.T) {
	_, s, err := loadStudy(studyText, "weight_decay=0.5")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, setting := range s.Settings {
		names = append(names, setting.Name)
	}
	if got, want := strings.Join(names, " "), "A,beta=0.1,max_steps=3 A,beta=0.2,max_steps=3 "+
		"B,beta=0.1,max_steps=3 B,beta=0.2,max_steps=3"; got != want {
		t.Errorf("settings %s, want %s", got, want)
	}
	last := s.Settings[3]
	c := last.ForSeed(8)
	if c.Objective != "dpo" || c.Beta != 0.2 || c.MaxSteps != 3 || c.PreferenceBy != "safe_first" ||
		c.Seed != 8 || c.DataSeed != 8 || c.WeightDecay != 0.5 || c.LearningRate != 1e-3 {
		t.Errorf("%+v", c)
	}
	want := map[string]string{"loss_type": "sigmoid", "preference_by": "safe_first", "beta": "0.2", "max_steps": "3"}
	if !maps.Equal(last.Given, want) {
		t.Errorf("given %v, want %v", last.Given, want)
	}
	if s.MaxTokens != 96 || len(s.Seeds) != 2 || s.Eval.DatasetMixer[0].Name != "quickstart/heldout" {
		t.Errorf("%+v", s)
	}
}

func TestStudyErrors(t *testing.T) {
	replace := func(old, text string) string { return strings.Replace(studyText, old, text, 1) }
	for text, want := range map[string]string{
		"beta: 1": "no key study",
		replace("study:", "stages: [{sft: {}}]\nstudy:"):              "stages: bfpo study trains one preference stage",
		replace("name: B", "name: a"):                                 "two settings have the name",
		replace("name: B", "name: ../B"):                              "s.yaml:8: study: settings: each needs a name",
		replace("name: B, ", ""):                                      "each needs a name",
		replace("objective: bfpo", "objectiv: bfpo"):                  "objectiv: unknown key; did you mean objective?",
		replace("objective: bfpo", "seed: 3"):                         "s.yaml:7: seed: all settings of a study share it",
		replace("objective: bfpo", "model_name_or_path: x"):           "all settings of a study share it",
		replace("objective: bfpo", "objective: sft"):                  "setting A,beta=0.1,max_steps=3",
		replace("objective: bfpo", "preference_by: safety"):           "bfpo reads the safety labels itself",
		replace("[0.1, 0.2]", "0.1"):                                  "s.yaml:9: study: grid: beta: want a list of values",
		replace("[0.1, 0.2]", "[0.1, [1]]"):                           "grid: beta: want numbers or words, got a list",
		replace("[0.1, 0.2]", "[0.1, a/b]"):                           "grid: beta: want numbers or words",
		replace("[0.1, 0.2]", "[0.1, -1]"):                            "must be",
		replace("[7, 8]", "[7, 7]"):                                   "s.yaml:10: study: seeds: 7 is there twice",
		replace("[7, 8]", "[-3]"):                                     "s.yaml:10: study: seeds: must be 0 or more",
		replace("[7, 8]", "["+strings.Repeat("1,", 2000)+"]"):         "seeds: there are 2000, more than 1000",
		replace("name: B", "name: Before"):                            "before training",
		replace("objective: bfpo", "eos_token: a"):                    "eos_token: all settings of a study share it",
		replace("study:", "seed: 9\nstudy:"):                          "s.yaml:5: seed: the seeds of a study are its seeds",
		replace("[7, 8]", "[]"):                                       "[1, 2, 3], got an empty list",
		replace("[7, 8]", "[1.5]"):                                    "want a whole number",
		replace("seeds: [7, 8]", "max_tokens: 0"):                     "max_tokens: must be 1 or more",
		replace("seeds: [7, 8]", "tasks: [mmlu]"):                     "evaluate its models on tasks with bfpo eval",
		replace("seeds: [7, 8]", "promts: x"):                         "promts: unknown key",
		replace("seeds: [7, 8]", "judge: x"):                          "judge: a study measures pairs",
		replace("  dataset_mixer: {quickstart/heldout: 1}\n", ""):     "want a dataset_mixer",
		replace("dataset_mixer: {quickstart/heldout", "prompts: x #"): "want a dataset_mixer of held-out pairs",
		replace("objective: bfpo", "platform: go"):                    "all settings of a study share it",
		replace("learning_rate: 1e-3", "gate: {}"):                    "only `bfpo gate` reads this key",
	} {
		if _, _, err := loadStudy(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v, want %q", text, err, want)
		}
	}
	_, one, err := loadStudy(replace("  seeds: [7, 8]\n", "")+"seed: 9\n", "weight_decay=0")
	if err != nil || len(one.Seeds) != 1 || one.Seeds[0] != 9 || one.Settings[0].ForSeed(9).DataSeed != 9 {
		t.Errorf("without seeds: %v, %v", one.Seeds, err)
	}
	_, _, err = loadStudy(studyText, "beta=0.3")
	if err == nil || !strings.Contains(err.Error(), "a flag would override") {
		t.Errorf("a flag that overrides the grid: %v", err)
	}
}

// FuzzStudy reads recipes of bfpo study and bfpo gate: every problem is a usage error, in bounded time and memory.
func FuzzStudy(f *testing.F) {
	f.Add(studyText)
	f.Add("gate: {dataset_mixer: {a.jsonl: 1}, tolerate: {harm: 0.1}, significance: 0.01}\n")
	f.Add("study: &a {settings: [*a], grid: {a: *a}, seeds: [1e9, 0x7]}\n")
	f.Add("study: {settings: [{name: a}], grid: {beta: [1, 2, 3], b1: [2, 3], alpha: [0, 1]}, prompts: p.txt}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			t.Skip() // the bounds below are for short texts
		}
		fuzztest.Bounded(t, len(text), 20*time.Second, func() {
			_, _, studyErr := loadStudy(text)
			_, _, gateErr := LoadGate(fstest.MapFS{"g.yaml": {Data: []byte(text)}}, "g", nil)
			for _, err := range []error{studyErr, gateErr} {
				if _, ok := errors.AsType[*usage.Error](err); err != nil && !ok {
					t.Fatalf("%v is no usage error", err)
				}
			}
		})
	})
}
