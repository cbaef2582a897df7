package measure

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/runtest"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/graph/graphtest"
)

// An answer does not depend on the other prompts, and a lower token limit only shortens it.
func TestAnswers(t *testing.T) {
	ctx, rt, c := context.Background(), runtest.Runtime(t, graphtest.Device(t)), runtest.Config(t)
	prompts, _, err := datasets.ReadPrompts(ctx, "quickstart/prompts", "", nil, true)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(prompts []datasets.Prompt, tokens int) []string {
		t.Helper()
		answers, err := GenerateAnswers(ctx, rt, c, prompts, tokens)
		if err != nil {
			t.Fatal(err)
		}
		return answers
	}
	all := ask(prompts, 12)
	var alone []string
	for _, p := range prompts[:2] {
		alone = append(alone, ask([]datasets.Prompt{p}, 12)...)
	}
	if len(all) != len(prompts) || !slices.Equal(all[:2], alone) {
		t.Errorf("answers %q, alone %q", all, alone)
	}
	if short := ask(prompts[:1], 3)[0]; short == "" || len(short) >= len(all[0]) || !strings.HasPrefix(all[0], short) {
		t.Errorf("%q is not the beginning of %q", short, all[0])
	}
	c.Model = "nowhere"
	if _, err := GenerateAnswers(ctx, rt, c, prompts, 3); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("error %v does not name the model", err)
	}
}
