package pretrained_test

import (
	"fmt"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// The built-in model needs no files. Folders and .gguf files are opened in the same way.
func ExampleOpen() {
	c, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	norm, err := c.Tensor(config.FinalNorm)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Config.Architecture, c.Config.Parameters(), "parameters")
	fmt.Println(norm.Name, norm.DType, norm.Dims)
	// Output:
	// MistralForCausalLM 151872 parameters
	// model.norm.weight Float32 [64]
}
