package task

import (
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/sharedtest"
)

// The order equals the one of Python's random module.
func TestPythonShuffleGolden(t *testing.T) {
	var g struct{ Orders [][2]any }
	sharedtest.ReadJSON(t, &g, "golden-eval", "utilitarianism_order.json")
	for _, o := range g.Orders {
		got, err := pythonShuffle([]any{[]any{0., 1.}, o[0]})
		if err != nil || !slices.Equal(got.([]any), o[1].([]any)) {
			t.Errorf("%q: %v, %v, want %v", o[0], got, err, o[1])
		}
	}
}
