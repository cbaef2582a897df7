package redteam

import (
	"context"
	"fmt"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
)

// readQuestions returns the questions of redteam_prompts, and a summary that counts its rows and those that are none.
func readQuestions(ctx context.Context, rt models.Runtime, c recipe.Config) (questions []string, s summary, err error) {
	prompts, count, err := datasets.ReadPrompts(ctx, c.RedteamPrompts, "", rt.Hub, c.RefusesBadRows())
	if err != nil {
		return nil, s, fmt.Errorf("redteam_prompts: %w", err)
	}
	for _, notice := range count.DroppedNotices() {
		rt.Log().Warn("redteam_prompts: " + notice)
	}
	s = summary{Questions: count.Rows, Unused: map[string]int{}}
	for reason, ids := range count.Drops.Dropped {
		s.Unused[reason] = len(ids)
	}
	return collectQuestions(prompts, s.Unused), s, nil
}
