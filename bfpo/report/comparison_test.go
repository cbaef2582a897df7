package report

import (
	"bytes"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEstimate(t *testing.T) {
	// 1, 2, 3, 4: mean 2.5, sum of squares 5, variance 5/3, standard error sqrt(5/12).
	got := NewEstimate([]float64{1, 2, 3, 4})
	if got.Mean != 2.5 || math.Abs(got.StdErr-math.Sqrt(5.0/12)) > 1e-15 || got.N != 4 {
		t.Errorf("%+v", got)
	}
	if got := NewEstimate(nil); got != (Estimate{}) {
		t.Errorf("no rows: %+v", got)
	}
	if got := NewEstimate([]float64{7}); got != (Estimate{Mean: 7, N: 1}) {
		t.Errorf("one row: %+v", got)
	}
}

// sampleComparison has a row for each verdict and each unit.
func sampleComparison() Comparison {
	return Comparison{
		Title: "held-out rows", Before: "sft", After: "bfpo",
		Rows: []ComparisonRow{
			NewComparisonRow("safe over unsafe", "accuracy", "%", HigherIsBetter,
				[]float64{0, 0, 1, 0, 0, 1}, []float64{1, 1, 1, 1, 1, 1}),
			NewComparisonRow("safe over unsafe", "margin", "nat", HigherIsBetter,
				[]float64{0, 0, 0, 0, 0, 0}, []float64{20, 22, 18, 21, 19, 20}),
			NewComparisonRow("both safe", "accuracy", "%", HigherIsBetter, []float64{0, 1, 1, 0}, []float64{1, 1, 0, 0}),
			NewComparisonRow("all", "|margin - target|", "nat", LowerIsBetter, []float64{60, 62, 64}, []float64{40, 41, 43}),
			NewComparisonRow("all", "length", "tokens", NeitherIsBetter, []float64{10, 11, 12}, []float64{20, 21, 22}),
			NewComparisonRow("all", "margin", "nat", HigherIsBetter, []float64{3, 3}, []float64{1, 1}),
			NewComparisonRow("all", "nothing", "", HigherIsBetter, nil, nil),
			NewComparisonRow("all", "unmoved", "", HigherIsBetter, []float64{2, 3}, []float64{2, 3}),
		},
	}
}

func TestComparisonText(t *testing.T) {
	var b bytes.Buffer
	if _, err := sampleComparison().WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	want := `
held-out rows             rows            sft           bfpo          change
────────────────────────────────────────────────────────────────────────────────────────────
safe over unsafe
  accuracy, %                6    33.3 ± 21.1    100.0 ± 0.0    +66.7 ± 21.1  ↑ better
  margin, nat                6    0.00 ± 0.00   20.00 ± 0.58   +20.00 ± 0.58  ↑ better
both safe
  accuracy, %                4    50.0 ± 28.9    50.0 ± 28.9      0.0 ± 40.8  ≈ within noise
all
  |margin - target|, nat     3     62.0 ± 1.2     41.3 ± 0.9   −20.67 ± 0.33  ↓ better
  length, tokens             3   11.00 ± 0.58   21.00 ± 0.58   +10.00 ± 0.00  ↑ changed
  margin, nat                2  3.000 ± 0.000  1.000 ± 0.000  −2.000 ± 0.000  ↓ worse
  nothing                    0              –              –               –
  unmoved                    2    2.50 ± 0.50    2.50 ± 0.50     0.00 ± 0.00  = same
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), strings.TrimSuffix(b.String(), comparisonNote+"\n")); diff != "" {
		t.Error(diff)
	}
}

func ExampleComparison() {
	before, after := []float64{0, 0, 0, 0}, []float64{20, 24, 16, 20} // margins of the same four held-out pairs
	table := Comparison{
		Title: "held-out pairs", Before: "before", After: "after",
		Rows: []ComparisonRow{NewComparisonRow("safe over unsafe", "margin", "nat", HigherIsBetter, before, after)},
	}
	table.WriteTo(os.Stdout)
	// Output:
	// held-out pairs  rows     before       after       change
	// ──────────────────────────────────────────────────────────────────
	// safe over unsafe
	//   margin, nat      4  0.0 ± 0.0  20.0 ± 1.6  +20.0 ± 1.6  ↑ better
	// ± is one standard error; change is taken row by row.
	// “within noise”: the change is at most two standard errors.
}

func TestComparisonMarkdown(t *testing.T) {
	text := sampleComparison().Markdown()
	if !strings.Contains(text, `| all: \|margin - target\|, nat | 3 | 62.0`) {
		t.Error(text)
	}
}
