package measure

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// An answer does not depend on the other prompts, and a lower token limit only shortens it. Pairs are scored beside.
func TestEvaluateHeldOut(t *testing.T) {
	ctx, rt, c := context.Background(), runtest.Runtime(t, graphtest.Device(t)), runtest.Config(t)
	silent := slog.New(slog.DiscardHandler)
	evaluate := func(e recipe.EvalStage, tokens int) HeldOut {
		t.Helper()
		out, err := EvaluateHeldOut(ctx, rt, c, e, tokens, silent)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const rows = `{"prompt": "Say a.", "chosen": "a", "rejected": "b b", ` +
		`"is_chosen_safe": true, "is_rejected_safe": false}`
	pairs := filepath.Join(t.TempDir(), "pairs.jsonl")
	if err := os.WriteFile(pairs, []byte(rows+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	all := evaluate(recipe.EvalStage{
		Prompts: "quickstart/prompts", DatasetMixer: recipe.Mixer{{Name: pairs, Fraction: 1}},
		DatasetSplits: []string{"train"},
	}, 12)
	if len(all.Answers) != 6 || len(all.Prompts) != 6 || len(all.Preferences) != 1 ||
		!all.Preferences[0].ChosenSafe || all.Preferences[0].ChosenTokens == 0 {
		t.Fatalf("%+v", all)
	}
	one := filepath.Join(t.TempDir(), "one.jsonl")
	prompt := `{"messages": [{"role": "user", "content": "` + all.Prompts[1].Messages[0].Content + `"}]}`
	if err := os.WriteFile(one, []byte(prompt), 0o644); err != nil {
		t.Fatal(err)
	}
	alone := evaluate(recipe.EvalStage{Prompts: one}, 12)
	if len(alone.Answers) != 1 || alone.Answers[0].Text != all.Answers[1].Text || alone.Preferences != nil {
		t.Errorf("alone %+v, with others %+v", alone.Answers, all.Answers[1])
	}
	texts, err := GenerateAnswers(ctx, rt, c, all.Prompts[1:2], 12)
	if err != nil || len(texts) != 1 || texts[0] != all.Answers[1].Text {
		t.Errorf("answers alone %q, %v", texts, err)
	}
	short := evaluate(recipe.EvalStage{Prompts: one}, 3).Answers[0]
	if len(short.IDs) != 3 || short.Ended || !strings.HasPrefix(all.Answers[1].Text, short.Text) {
		t.Errorf("%+v is not the beginning of %q", short, all.Answers[1].Text)
	}
	c.Model = "nowhere"
	if _, err := EvaluateHeldOut(ctx, rt, c, recipe.EvalStage{Prompts: one}, 3, silent); err == nil ||
		!strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v does not name the model", err)
	}
}
