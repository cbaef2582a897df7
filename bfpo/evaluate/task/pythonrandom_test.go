package task

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/fixture"
)

// The order of scenarios equals the order of Python's random module, on the project's own scenarios and, where
// $BFPO_SHARED has them, on real ones.
func TestPythonShuffleGolden(t *testing.T) {
	folders := []string{filepath.Join("..", "testdata", "golden")}
	if os.Getenv(fixture.EnvShared) != "" {
		folders = append(folders, fixture.Shared(t, "golden-eval"))
	}
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, "utilitarianism_order.json"))
		if err != nil {
			t.Fatal(err)
		}
		var g struct{ Orders [][2]any }
		if err := json.Unmarshal(text, &g); err != nil || len(g.Orders) == 0 {
			t.Fatalf("%s: %d orders, %v", folder, len(g.Orders), err)
		}
		for _, o := range g.Orders {
			got, err := pythonShuffle([]any{[]any{0., 1.}, o[0]})
			if err != nil || !slices.Equal(got.([]any), o[1].([]any)) {
				t.Errorf("%q: %v, %v, want %v", o[0], got, err, o[1])
			}
		}
	}
}
