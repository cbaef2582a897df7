package mistral_test

import (
	"context"
	"fmt"

	"github.com/gomlx/compute/dtypes"

	"github.com/bfpo-go/bfpo/graph/device"
	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// loadTiny loads the built-in model on the pure Go backend.
func loadTiny() (*device.Device, *mistral.Model, error) {
	d, err := device.Open(device.Options{Platform: device.PlatformGo})
	if err != nil {
		return nil, nil, err
	}
	c, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		return nil, nil, err
	}
	m, err := mistral.Load(d, c, dtypes.Float32)
	return d, m, err
}

// Prompts of any length are continued together. The completions are in the order of the prompts.
func ExampleGenerator() {
	d, m, err := loadTiny()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	defer m.Close()
	g := mistral.NewGenerator(d, m.Config, m.Base, nil, dtypes.Float32)
	defer g.Close()
	prompts := [][]int32{{1, 78, 79}, {1, 80}}
	completions, err := g.Generate(context.Background(), prompts, mistral.GenerateOptions{MaxTokens: 8}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range completions {
		fmt.Println(len(c.IDs), "tokens, stopped by", c.Stop)
	}
	// Output:
	// 8 tokens, stopped by length
	// 8 tokens, stopped by length
}

// To the untrained model, each of its 512 tokens is about equally probable.
func ExampleScorer() {
	d, m, err := loadTiny()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer d.Close()
	defer m.Close()
	s := mistral.NewScorer(d, m.Config, m.Base, nil, dtypes.Float32)
	defer s.Close()
	scores, err := s.Score(context.Background(), []mistral.Sequence{
		{PromptIDs: []int32{1, 78, 79}, ResponseIDs: []int32{80, 81, 2}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d tokens, %.0f nats each\n", scores[0].Tokens, scores[0].LogProb/3)
	// Output:
	// 3 tokens, -6 nats each
}
