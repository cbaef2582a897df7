package plan

import (
	"github.com/bfpo-go/bfpo/bfpo/recipe"
	"github.com/bfpo-go/bfpo/datasets/batch"
	"github.com/bfpo-go/bfpo/mistral/config"
)

// maxElements limits one tensor of activations: 4 TiB in float32, which no device has. Compilers end the program, or
// compute wrong sizes, when sizes overflow.
const maxElements = 1 << 40

// checkShapes refuses batches whose activations no device could hold.
func checkShapes(c recipe.Config, network config.Config, shapes []batch.Shape) error {
	key, length := "max_length", c.MaxLength
	if c.Objective == "sft" {
		key, length = "max_seq_length", c.MaxSeqLength
	}
	for _, s := range shapes {
		tokens := float64(s.Rows) * float64(s.Length) // in floating point, which does not overflow
		for name, n := range map[string]float64{
			"attention scores": tokens * float64(s.Length) * float64(network.NumAttentionHeads),
			"MLP":              tokens * float64(network.IntermediateSize),
			"logits":           float64(s.Targets) * float64(network.VocabSize),
		} {
			if n > maxElements {
				return c.UsageErrorf(key, "%d with this model: the %s of a batch would have %.3g elements, which no device holds",
					length, name, n)
			}
		}
	}
	return nil
}
