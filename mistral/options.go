package mistral

import (
	"fmt"
	"math"
)

// GenerateOptions control how prompts are continued. Only MaxTokens must be set.
type GenerateOptions struct {
	MaxTokens   int     // maximum number of tokens to generate per row
	Temperature float64 // 0 = greedy
	TopP        float64 // probability mass of the nucleus; 0 or 1 = the whole vocabulary. Ignored if greedy
	TopK        int     // number of most probable tokens to sample from; 0 = all. Ignored if greedy
	Seed        int64   // seeds the random numbers, together with the row's number
	// Stop, if not nil, is called after every token and ends the row if it returns true. ids are the tokens generated
	// for the row so far; they must not be kept or changed.
	Stop func(row int, ids []int32) bool
}

// Why a row ended.
const (
	StopEOS    = "eos"    // with one of Config.EOSTokenIDs
	StopCaller = "stop"   // by GenerateOptions.Stop
	StopLength = "length" // at MaxTokens, or because prompt and answer fill Config.MaxPositionEmbeddings
)

// Completion is the continuation of one prompt.
type Completion struct {
	IDs  []int32 // the generated tokens, including an end token
	Stop string  // StopEOS, StopCaller or StopLength; empty if the row was interrupted
}

func (o GenerateOptions) validate() error {
	switch {
	case o.MaxTokens < 1:
		return fmt.Errorf("generate: at most %d tokens: want 1 or more", o.MaxTokens)
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return fmt.Errorf("generate: temperature %g: want 0 (greedy) or a positive number", o.Temperature)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return fmt.Errorf("generate: top-p %g: want a number from 0 to 1", o.TopP)
	case o.TopK < 0:
		return fmt.Errorf("generate: top-k %d: want 0 or more", o.TopK)
	}
	return nil
}
