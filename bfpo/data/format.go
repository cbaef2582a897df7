package data

import (
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// CheckMaxLength refuses a max_length (for sft: max_seq_length) that is greater than the model's number of positions.
func CheckMaxLength(c recipe.Config, m config.Config) error {
	key, length := "max_length", c.MaxLength
	if c.Objective == "sft" {
		key, length = "max_seq_length", c.MaxSeqLength
	}
	if length > m.MaxPositionEmbeddings {
		reason := ""
		if m.RopeScaling.Type == config.RopeDynamic {
			reason = ", behind which dynamic rotary scaling depends on the length of a batch, which is not supported"
		}
		return c.UsageErrorf(key, "%d is longer than the model's max_position_embeddings, %d%s",
			length, m.MaxPositionEmbeddings, reason)
	}
	return nil
}

// NewTextFormat returns the recipe's way of turning text into tokens for a model with the given number of positions.
func NewTextFormat(c recipe.Config, l models.ChatTokenizer, maxPositions int) datasets.TextFormat {
	f := datasets.TextFormat{
		Tokenizer: l.Tokenizer, Template: l.Template, Original: c.TextFormat == "seed", Strict: c.RefusesBadRows(),
		MaxLength: c.MaxLength, MaxPromptLength: c.MaxPromptLength, TruncationSide: c.TruncationSide,
	}
	if c.Objective == "sft" {
		f.MaxLength, f.MaxPromptLength, f.Packing = c.MaxSeqLength, 0, c.Packing
		if f.MaxLength == 0 {
			f.MaxLength = min(maxPositions, 1024)
		}
	}
	return f
}

// FindSplit returns the first of dataset_splits that has kind, "train" or "test", in its name, or "" if there is
// none.
func FindSplit(splits []string, kind string) string {
	for _, split := range splits {
		if strings.Contains(split, kind) {
			return split
		}
	}
	return ""
}

// NewMixture describes the rows of one split of a mixer's datasets, in the order in which the recipe trains on them.
func NewMixture(c recipe.Config, m recipe.Mixer, split string, hub *hub.Hub) datasets.Mixture {
	mixture := datasets.Mixture{Split: split, Shuffle: c.Shuffle, Seed: uint64(c.DataSeed), Hub: hub,
		TextColumn: c.TextColumn(), Strict: c.RefusesBadRows()}
	for _, share := range m {
		mixture.Sets = append(mixture.Sets, datasets.MixtureSet{Name: share.Name, Fraction: share.Fraction})
	}
	return mixture
}
