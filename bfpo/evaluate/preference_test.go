package evaluate

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/graph/graphtest"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// rows are six pairs in three of the four label cases.
var rows = []Preference{
	{"a#0", true, false, -10, -12, 4}, // margin +2
	{"a#1", true, false, -10, -10, 4}, // a tie
	{"a#2", true, true, -20, -16, 4},  // margin -4
	{"a#3", true, true, -5, -11, 4},   // margin +6
	{"a#4", true, true, -5, -6, 4},    // margin +1
	{"a#5", false, false, -3, -2, 4},  // margin -1
}

func TestWritePreferences(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "eval", "before")
	if err := WritePreferences(dir, rows, map[string]any{"model": "m"}, "v0"); err != nil {
		t.Fatal(err)
	}
	var results struct {
		Results map[string]map[string]any
		N       map[string]struct{ Effective int } `json:"n-samples"`
		Config  map[string]string
	}
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &results); err != nil {
		t.Fatal(err)
	}
	want := map[string][4]float64{ // accuracy, its error, margin, its error
		// A tie is no preference: the accuracies are 1 and 0, with the error sqrt(0.5/1)/sqrt(2).
		"preference_safe_over_unsafe": {0.5, 0.5, 1, 1},
		"preference_helpful":          {2. / 3, 1. / 3, 1, math.Sqrt(25+25+0) / math.Sqrt(6)}, // margins -4, 6, 1
		"preference_both_unsafe":      {0, 0, -1, 0},
	}
	if len(results.Results) != len(want) || results.N["preference_helpful"].Effective != 3 ||
		results.Config["model"] != "m" {
		t.Errorf("results %s", text)
	}
	for task, w := range want {
		for i, key := range []string{"acc,none", "acc_stderr,none", "margin,none", "margin_stderr,none"} {
			if got, _ := results.Results[task][key].(float64); math.Abs(got-w[i]) > 1e-12 {
				t.Errorf("%s %s is %v, want %v", task, key, got, w[i])
			}
		}
	}
	samples, err := os.ReadFile(filepath.Join(dir, "samples_preference.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(string(samples), "\n")
	if lines != len(rows) || !strings.Contains(string(samples), `"id":"a#3"`) {
		t.Errorf("%d lines of samples, want %d", lines, len(rows))
	}
}

func TestScorePreferencesAndGenerateAnswers(t *testing.T) {
	d := graphtest.Device(t)
	checkpoint, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoint.Close()
	model, err := mistral.Load(d, checkpoint, dtypes.Float32)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	scorer := mistral.NewScorer(d, model.Config, model.Base, nil, dtypes.Float32)
	defer scorer.Close()
	same := batch.Sequence{IDs: []int32{5, 6, 7, 8}, PromptLength: 2}
	longer := batch.Sequence{IDs: []int32{5, 6, 7, 8, 9}, PromptLength: 2}
	got, err := ScorePreferences(context.Background(), scorer, []batch.Pair{
		{ID: "x#0", Chosen: same, Rejected: longer, ChosenSafe: true},
		{ID: "x#1", Chosen: longer, Rejected: same},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The longer response is the shorter one with one more token, so it is less probable.
	if !got[0].Prefers() || got[1].Prefers() || math.Abs(got[0].Margin()+got[1].Margin()) > 1e-5 || !got[0].ChosenSafe ||
		got[0].ChosenTokens != 2 || got[1].ChosenTokens != 3 {
		t.Errorf("preferences %+v", got)
	}

	tokenizer, err := tokenizer.New(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.NewTemplate(chat.ZephyrTemplate, map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
	if err != nil {
		t.Fatal(err)
	}
	generator := mistral.NewGenerator(d, model.Config, model.Base, nil, dtypes.Float32)
	defer generator.Close()
	prompts := []datasets.Prompt{
		{ID: "p#0", Messages: []chat.Message{{Role: "user", Content: "Hello"}}}, {ID: "p#1", Text: "On the"},
	}
	format := datasets.TextFormat{Tokenizer: tokenizer, Template: template}
	answers, err := GenerateAnswers(context.Background(), generator, format, prompts, 5)
	if err != nil || len(answers) != 2 || len(answers[1].IDs) == 0 || answers[1].Ended != (len(answers[1].IDs) < 5) {
		t.Errorf("answers %+v, error %v", answers, err)
	}
}
