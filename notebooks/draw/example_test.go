package draw_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/janpfeifer/must"

	"github.com/bfpo-go/bfpo/bfpo/track"
	"github.com/bfpo-go/bfpo/notebooks/draw"
)

// The cells of a notebook cannot return an error, so they stop at the first one, with package must.
func ExampleSteps() {
	dir := must.M1(os.MkdirTemp("", "run"))
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "metrics.jsonl")
	metrics := `{"step":1,"epoch":0.5,"loss":2.5}` + "\n" + `{"step":2,"epoch":1,"loss":1.5}` + "\n"
	must.M(os.WriteFile(path, []byte(metrics), 0o644))

	chart := draw.Steps("Loss", "nat", must.M1(track.ReadMetrics(path)), "loss")
	fmt.Println(chart.X, chart.Series[0].X)
	fmt.Println(chart.Y, chart.Series[0].Y)
	// Output:
	// optimizer step [1 2]
	// nat [2.5 1.5]
}
