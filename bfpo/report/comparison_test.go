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

// repeat repeats values up to n.
func repeat(n int, values ...float64) (all []float64) {
	for i := range n {
		all = append(all, values[i%len(values)])
	}
	return all
}

// sampleComparison has a row for each verdict and each unit.
func sampleComparison() Comparison {
	return Comparison{
		Title: "held-out rows", Before: "sft", After: "bfpo",
		Rows: []ComparisonRow{
			NewComparisonRow("safe over unsafe", "accuracy", "%", HigherIsBetter,
				repeat(12, 0, 0, 1, 0, 0, 1), repeat(12, 1)),
			NewComparisonRow("safe over unsafe", "margin", "nat", HigherIsBetter,
				repeat(12, 0), repeat(12, 20, 22, 18, 21, 19, 20)),
			NewComparisonRow("both safe", "accuracy", "%", HigherIsBetter, repeat(12, 0, 1, 1, 0), repeat(12, 1, 1, 0, 0)),
			NewComparisonRow("all", "|margin - target|", "nat", LowerIsBetter, repeat(12, 60, 62, 64), repeat(12, 40, 41, 43)),
			NewComparisonRow("all", "length", "tokens", NeitherIsBetter, repeat(12, 10, 11, 12), repeat(12, 20, 21, 22)),
			NewComparisonRow("all", "margin", "nat", HigherIsBetter, repeat(12, 3), repeat(12, 1)),
			NewComparisonRow("all", "nothing", "", HigherIsBetter, nil, nil),
			NewComparisonRow("all", "unmoved", "", HigherIsBetter, repeat(12, 2, 3), repeat(12, 2, 3)),
			NewComparisonRow("all", "few", "", HigherIsBetter, repeat(9, 2, 3), repeat(9, 20, 30)),
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
  accuracy, %               12    33.3 ± 14.2    100.0 ± 0.0    +66.7 ± 14.2  ↑ better
  margin, nat               12    0.00 ± 0.00   20.00 ± 0.39   +20.00 ± 0.39  ↑ better
both safe
  accuracy, %               12    50.0 ± 15.1    50.0 ± 15.1      0.0 ± 21.3  ≈ within noise
all
  |margin - target|, nat    12   62.00 ± 0.49   41.33 ± 0.38   −20.67 ± 0.14  ↓ better
  length, tokens            12   11.00 ± 0.25   21.00 ± 0.25   +10.00 ± 0.00  ↑ changed
  margin, nat               12  3.000 ± 0.000  1.000 ± 0.000  −2.000 ± 0.000  ↓ worse
  nothing                    0              –              –               –
  unmoved                   12    2.50 ± 0.15    2.50 ± 0.15     0.00 ± 0.00  = same
  few                        9      2.4 ± 0.2     24.4 ± 1.8     +22.0 ± 1.6  too few rows
`
	got := strings.TrimSuffix(b.String(), comparisonNote()+"\n")
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Error(diff)
	}
}

func ExampleComparison() {
	// margins of the same ten held-out pairs
	before := []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	after := []float64{20, 24, 16, 20, 20, 24, 16, 20, 20, 20}
	table := Comparison{
		Title: "held-out pairs", Before: "before", After: "after",
		Rows: []ComparisonRow{NewComparisonRow("safe over unsafe", "margin", "nat", HigherIsBetter, before, after)},
	}
	table.WriteTo(os.Stdout)
	// Output:
	// held-out pairs  rows       before         after         change
	// ────────────────────────────────────────────────────────────────────────
	// safe over unsafe
	//   margin, nat     10  0.00 ± 0.00  20.00 ± 0.84  +20.00 ± 0.84  ↑ better
	// ± is one standard error; change is taken row by row.
	// “within noise”: p ≥ 0.05 in a paired test (exact sign test of right and wrong answers,
	// t-test of other numbers); “too few rows”: fewer than 10, no test.
}

func TestComparisonMarkdown(t *testing.T) {
	text := sampleComparison().Markdown()
	if !strings.Contains(text, `| all: \|margin - target\|, nat | 12 | 62.00`) {
		t.Error(text)
	}
}
