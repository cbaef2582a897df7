package metric

import (
	"math"
	"testing"
)

func TestROUGE(t *testing.T) {
	for _, c := range []struct {
		reference, text string
		want            [3]float64 // rouge1, rouge2, rougeL
	}{
		{"The cat!", "the CAT", [3]float64{100, 100, 100}},
		{"", "a", [3]float64{0, 0, 0}},
		// 3 of 4 and 3 words are common, 1 of 3 and 2 pairs, and a c d is the subsequence.
		{"a b c d", "a c d", [3]float64{100 * 6. / 7, 100 * 2. / 5, 100 * 6. / 7}},
		{"a b", "b a", [3]float64{100, 0, 50}},
		// The sentences "a b." and "c d" find a b and c in the text, in either order.
		{"a b . c d", "c x . a b", [3]float64{75, 100 * 2. / 6, 75}},
	} {
		got := rouge(c.reference, c.text)
		for i, name := range []string{"rouge1", "rouge2", "rougeL"} {
			if math.Abs(got[name]-c.want[i]) > 1e-9 {
				t.Errorf("%s of %q against %q is %g, want %g", name, c.text, c.reference, got[name], c.want[i])
			}
		}
	}
}
