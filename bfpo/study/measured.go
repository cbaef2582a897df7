package study

import (
	"github.com/bfpo-go/bfpo/bfpo/measure"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
)

// beforeName names the model before training.
const beforeName = "before"

// measured is what one run makes of the held-out rows.
type measured struct {
	measure.HeldOut
	setting recipe.StudySetting
	seed    int64
	model   string // its folder, relative to the study's
	failed  string // why it has no values: it diverged; "" for others
}

// promptText is a prompt as a reader sees it: its text, or its last message.
func promptText(p datasets.Prompt) string {
	if n := len(p.Messages); n > 0 {
		return p.Messages[n-1].Content
	}
	return p.Text
}
