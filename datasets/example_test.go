package datasets_test

import (
	"context"
	"fmt"

	"github.com/janpfeifer/must"

	"github.com/bfpo-go/bfpo/datasets"
)

// A mixture reads the first rows of its sets and shuffles them together, in the order of the Python library for this
// seed.
func ExampleMixture() {
	mixture := datasets.Mixture{
		Sets: []datasets.MixtureSet{
			{Name: "quickstart/safety", Fraction: 0.05},
			{Name: "quickstart/helpful", Fraction: 0.05},
		},
		Split: "train", Shuffle: true, Seed: 42,
	}
	preferences, counts := must.M2(mixture.ReadPreferences(context.Background()))
	for _, c := range counts {
		fmt.Println(c.Used, "of", c.Rows, "rows of", c.Name)
	}
	first := preferences[0]
	fmt.Println(first.ID, first.Prompt[0].Role, first.ChosenSafe)
	// Output:
	// 8 of 174 rows of quickstart/safety
	// 4 of 92 rows of quickstart/helpful
	// quickstart/safety#0 user true
}
