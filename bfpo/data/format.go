package data

import (
	"strings"

	"github.com/bfpo-go/bfpo/bfpo/models"
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/hub"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// FitsModel refuses rows longer than the network has positions for.
func FitsModel(c recipe.Config, m config.Config) error {
	key, length := "max_length", c.MaxLength
	if c.Objective == "sft" {
		key, length = "max_seq_length", c.MaxSeqLength
	}
	if length > m.MaxPositionEmbeddings {
		return c.KeyErrorf(key, "%d is longer than the model's max_position_embeddings, %d", length, m.MaxPositionEmbeddings)
	}
	return nil
}

// TextFormat is how a recipe wants text turned into tokens.
func TextFormat(c recipe.Config, l models.Language, maxPositions int) datasets.TextFormat {
	f := datasets.TextFormat{
		Tokenizer: l.Tokenizer, Template: l.Template, Seed: c.TextFormat == "seed",
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

// SplitOf is the split of a list that trains ("train") or evaluates ("test"), or "" where the list has none.
func SplitOf(splits []string, kind string) string {
	for _, split := range splits {
		if strings.Contains(split, kind) {
			return split
		}
	}
	return ""
}

// Mixture names the rows of a mixer's split.
func Mixture(c recipe.Config, m recipe.Mixer, split string, hub *hub.Hub) datasets.Mixture {
	mixed := datasets.Mixture{Split: split, Shuffle: c.Shuffle, Seed: uint64(c.DataSeed), Hub: hub}
	for _, share := range m {
		mixed.Parts = append(mixed.Parts, datasets.Part{Name: share.Name, Fraction: share.Fraction})
	}
	return mixed
}
