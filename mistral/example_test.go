package mistral_test

import (
	"fmt"

	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// The built-in model needs no files; a folder or a .gguf file is opened in the same way.
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

// Selective training names layers by any part of their tensors' names.
func ExampleTrainable() {
	c, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(mistral.Trainable(c.Config, []string{"down_proj"}))
	fmt.Println(mistral.Trainable(c.Config, []string{"down_project"}))
	// Output:
	// [model.layers.0.mlp.down_proj.weight model.layers.1.mlp.down_proj.weight] <nil>
	// [] selected layer "down_project": no tensor of the model has this in its name (nearest: down_proj)
}
