package mistral

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// GenerateOptions say how to continue prompts. Only MaxTokens must be set.
type GenerateOptions struct {
	MaxTokens   int     // tokens to generate at most for each row
	Temperature float64 // 0 = greedy
	TopP        float64 // mass of the nucleus; 0 or 1 = the whole vocabulary. Without meaning when greedy
	TopK        int     // how many of the most probable tokens to draw from; 0 = all. Without meaning when greedy
	Seed        int64   // of the random numbers, together with the row
	// Stop, if not nil, is asked after every token whether the row ends here. ids are the row's generated tokens so far; they must
	// not be kept or changed.
	Stop func(row int, ids []int32) bool
}

// Completion is the continuation of one prompt.
type Completion struct {
	IDs  []int32 // the generated tokens, an end token included
	Stop string  // StopEOS, StopCaller or StopLength; empty when the row was interrupted
}

func (o GenerateOptions) validate() error {
	switch {
	case o.MaxTokens < 1:
		return fmt.Errorf("generate: %d tokens at most: want 1 or more", o.MaxTokens)
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return fmt.Errorf("generate: temperature %g: want 0 (greedy) or a positive number", o.Temperature)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("generate: top-p %g: want a number from 0 to 1", o.TopP)
	case o.TopK < 0:
		return fmt.Errorf("generate: top-k %d: want 0 or more", o.TopK)
	}
	return nil
}
