package metric

import (
	"math"
	"slices"
	"testing"
)

// Each case is worked out by hand.
func TestChoiceValue(t *testing.T) {
	gold, choices := 1, []string{"yes", "äöüßé", "no"}
	for _, c := range []struct {
		kind   string
		labels []int
		ll     []float64
		want   float64
	}{
		{"acc", nil, []float64{-3, -2, -4}, 1},
		{"acc", nil, []float64{-2, -2, -4}, 0},        // the first of equal ones
		{"acc_norm", nil, []float64{-3.1, -5, -2}, 1}, // -1.03, -1, -1: the first of equal ones
		{"acc_norm", nil, []float64{-3, -5, -4}, 0},   // -1, -1, -2
		{"true_mass", []int{0, 1, 1}, []float64{-1, -1, -1}, 2. / 3},
		{"true_mass", []int{1, 0, 0}, []float64{math.Log(.2), math.Log(.1), math.Log(.1)}, .5},
		{"true_mass", []int{1, 0, 0}, []float64{-9000, -9000, -9999}, .5}, // no probability that a float64 holds
		{"likelihood_diff", nil, []float64{-3, -5.5}, 2.5},
		{"pct_stereotype", nil, []float64{-3, -5.5}, 1},
		{"pct_stereotype", nil, []float64{-3, -3}, 0},
	} {
		if got := ScoreChoices(c.kind, choices, gold, c.labels, c.ll); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s of %v is %g, want %g", c.kind, c.ll, got, c.want)
		}
	}
}

func TestMeanError(t *testing.T) {
	mean, stderr := MeanStdErr([]float64{1, 0, 0, 1}) // squares 4 * 0.25, over 3, over 4
	if mean != .5 || math.Abs(stderr-math.Sqrt(1./12)) > 1e-15 {
		t.Errorf("%g ± %g", mean, stderr)
	}
	if mean, stderr := MeanStdErr([]float64{3}); mean != 3 || !math.IsNaN(stderr) {
		t.Errorf("%g ± %g of one value", mean, stderr)
	}
}

func TestTruthfulAnswers(t *testing.T) {
	got := CompleteReferences([]string{" Yes", "", " \n", "No.", "I have no comment"}, true)
	if want := []string{"Yes.", "No.", "I have no comment."}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := CompleteReferences([]string{"a"}, true); len(got) != 2 || len(CompleteReferences([]string{"a"}, false)) != 1 {
		t.Errorf("%q", got)
	}
}

func TestBLEU(t *testing.T) {
	for _, c := range []struct {
		reference, text string
		want            float64
	}{
		{"the cat sat on the mat", "the cat sat on the mat", 100},
		{"the cat sat on the mat", "the cat sat", 0}, // no four words
		{"a b c d", "w x y z", 0},
		// Of 5, 4, 3, 2 n-grams match 4, 3, 2, 1.
		{"a b c d x", "a b c d y", 100 * math.Pow(4./5*3/4*2/3*1/2, .25)},
		// Matches 2, 0, 0, 0 of 4, 3, 2, 1: the zeros count 1/2, 1/4, 1/8.
		{"a x b y", "a q b r", 100 * math.Pow(2./4*1/6*1/8*1/8, .25)},
		// Brevity: 4 words for 6.
		{"a b c d e f", "a b c d", 100 * math.Exp(1-6./4)},
		// Words: It costs 1,000 $ , he said . 5
		{"It costs 1,000$, he said. 5", "It costs 1,000 $ , he said . 5", 100},
	} {
		if got := bleu(c.reference, c.text); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("BLEU of %q against %q is %g, want %g", c.text, c.reference, got, c.want)
		}
	}
}

func TestROUGE(t *testing.T) {
	for _, c := range []struct {
		reference, text string
		want            [3]float64 // rouge1, rouge2, rougeL
	}{
		{"The cat!", "the CAT", [3]float64{100, 100, 100}},
		{"", "a", [3]float64{0, 0, 0}},
		// Words 3 of 4 and of 3; pairs 1 of 3 and of 2; a c d in order.
		{"a b c d", "a c d", [3]float64{100 * 6. / 7, 100 * 2. / 5, 100 * 6. / 7}},
		{"a b", "b a", [3]float64{100, 0, 50}},
		// Sentences "a b." and "c d": the second finds c, the first a b, whatever their order.
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
