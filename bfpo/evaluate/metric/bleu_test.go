package metric

import (
	"math"
	"testing"
)

func TestBLEU(t *testing.T) {
	for _, c := range []struct {
		reference, text string
		want            float64
	}{
		{"the cat sat on the mat", "the cat sat on the mat", 100},
		{"the cat sat on the mat", "the cat sat", 0}, // fewer than four words
		{"a b c d", "w x y z", 0},
		// Matches: 4 of 5 words, 3 of 4 pairs, 2 of 3 triples, 1 of 2 quadruples.
		{"a b c d x", "a b c d y", 100 * math.Pow(4./5*3/4*2/3*1/2, .25)},
		// Matches: 2 of 4 words, and no longer n-grams of 3, 2 and 1, which count as 1/2, 1/4 and 1/8.
		{"a x b y", "a q b r", 100 * math.Pow(2./4*1/6*1/8*1/8, .25)},
		// The brevity penalty of 4 words against 6.
		{"a b c d e f", "a b c d", 100 * math.Exp(1-6./4)},
		// The words are: It costs 1,000 $ , he said . 5
		{"It costs 1,000$, he said. 5", "It costs 1,000 $ , he said . 5", 100},
	} {
		if got := bleu(c.reference, c.text); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("BLEU of %q against %q is %g, want %g", c.text, c.reference, got, c.want)
		}
	}
}
