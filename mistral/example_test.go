package mistral_test

import (
	"fmt"

	"github.com/bfpo-go/bfpo/mistral"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// Selective training names layers by any part of the names of their tensors.
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
