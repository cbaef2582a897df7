package recipe_test

import (
	"fmt"
	"testing/fstest"

	"github.com/bfpo-go/bfpo/bfpo/recipe"
)

func ExampleLoad() {
	text := "objective: bfpo\nbeta: 0.01\ndataset_mixer: {quickstart/safety: 1.0}\n"
	recipes := fstest.MapFS{"safe.yaml": {Data: []byte(text)}}

	c, err := recipe.Load(recipes, "safe", []string{"learning_rate=5e-7", "selected_layers=down_proj"})
	fmt.Println(c.Objective, c.Beta, c.LearningRate, c.SelectedLayers, err)

	_, err = recipe.Load(recipes, "safe", []string{"learning_rte=5e-7"})
	fmt.Println(err)
	// Output:
	// bfpo 0.01 5e-07 [down_proj] <nil>
	// -set=learning_rte=5e-7: learning_rte: unknown key; did you mean learning_rate?
}
