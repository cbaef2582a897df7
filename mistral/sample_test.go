package mistral

import (
	"math"
	"slices"
	"testing"
)

// logitsOf returns logits whose softmax is proportional to the given numbers.
func logitsOf(probs ...float64) []float32 {
	logits := make([]float32, len(probs))
	for i, p := range probs {
		logits[i] = float32(math.Log(p))
	}
	return logits
}

func TestSampleGreedy(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{0}, 0},
		{[]float32{-3, 2, 1}, 1},
		{[]float32{1, 5, 5, 2}, 1}, // the first of two equal ones
		{[]float32{float32(math.Inf(-1)), -7}, 1},
	} {
		got, err := newSampler(GenerateOptions{TopP: 0.1}, 0).next(c.logits)
		if err != nil || got != c.want {
			t.Errorf("%v: token %d, error %v, want %d", c.logits, got, err, c.want)
		}
	}
}

// Each case gives the probabilities of the tokens after temperature, top-k and nucleus, worked out by hand.
func TestSampleDistribution(t *testing.T) {
	const draws = 20000
	for _, c := range []struct {
		name   string
		o      GenerateOptions
		logits []float32
		want   []float64
	}{
		{"softmax", GenerateOptions{Temperature: 1}, logitsOf(.1, .2, .3, .4), []float64{.1, .2, .3, .4}},
		{"nucleus of everything", GenerateOptions{Temperature: 1, TopP: 1}, logitsOf(.1, .2, .3, .4),
			[]float64{.1, .2, .3, .4}},
		{"temperature below one", GenerateOptions{Temperature: .5}, logitsOf(1, 3), []float64{.1, .9}}, // 1:9
		{"temperature above one", GenerateOptions{Temperature: 2}, logitsOf(1, 9), []float64{.25, .75}},
		{"nucleus of two", GenerateOptions{Temperature: 1, TopP: .6}, logitsOf(.1, .2, .3, .4),
			[]float64{0, 0, 3. / 7, 4. / 7}},
		{"nucleus of three", GenerateOptions{Temperature: 1, TopP: .71}, logitsOf(.1, .2, .3, .4),
			[]float64{0, 2. / 9, 3. / 9, 4. / 9}},
		{"nucleus of all", GenerateOptions{Temperature: 1, TopP: .95}, logitsOf(.1, .2, .3, .4), []float64{.1, .2, .3, .4}},
		{"at least one", GenerateOptions{Temperature: 1, TopP: 1e-9}, logitsOf(.3, .4, .3), []float64{0, 1, 0}},
		{"exactly the mass", GenerateOptions{Temperature: 1, TopP: .5}, logitsOf(1, 1, 1, 1), []float64{.5, .5, 0, 0}},
		{"just above the mass", GenerateOptions{Temperature: 1, TopP: .51}, logitsOf(1, 1, 1, 1),
			[]float64{1. / 3, 1. / 3, 1. / 3, 0}},
		// The temperature comes first: 1:4:16 becomes 1:2:4, where 4/7 is less than 0.6.
		{"nucleus after temperature", GenerateOptions{Temperature: 2, TopP: .6}, logitsOf(1, 4, 16),
			[]float64{0, 2. / 6, 4. / 6}},
		{"top-k of two", GenerateOptions{Temperature: 1, TopK: 2}, logitsOf(.1, .2, .3, .4), []float64{0, 0, 3. / 7, 4. / 7}},
		{"top-k above the vocabulary", GenerateOptions{Temperature: 1, TopK: 9}, logitsOf(.1, .2, .3, .4),
			[]float64{.1, .2, .3, .4}},
		// Of the top three, the first has 4/9 of the mass and the first two have 7/9.
		{"nucleus of the top three", GenerateOptions{Temperature: 1, TopK: 3, TopP: .7}, logitsOf(.1, .2, .3, .4),
			[]float64{0, 0, 3. / 7, 4. / 7}},
		{"top-k of one", GenerateOptions{Temperature: 1, TopK: 1, TopP: .7}, logitsOf(.3, .4, .3), []float64{0, 1, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, counts := newSampler(c.o, 0), make([]int, len(c.want))
			for range draws {
				id, err := s.next(c.logits)
				if err != nil {
					t.Fatal(err)
				}
				counts[id]++
			}
			for i, p := range c.want {
				// Five standard deviations of a binomial count, which is exact for probabilities of 0 and 1.
				if diff := math.Abs(float64(counts[i]) - draws*p); diff > 5*math.Sqrt(draws*p*(1-p)) {
					t.Errorf("token %d drawn %d of %d times, want about %.0f", i, counts[i], draws, draws*p)
				}
			}
		})
	}
}

// A seed gives the same text from release to release, and rows and seeds have different random numbers.
func TestSampleSeed(t *testing.T) {
	draw := func(seed int64, row int, topP float64) []int32 {
		s := newSampler(GenerateOptions{Temperature: 1, TopP: topP, Seed: seed}, row)
		ids := make([]int32, 12)
		for i := range ids {
			ids[i], _ = s.next(make([]float32, 10))
		}
		return ids
	}
	first := draw(1, 0, 1)
	if want := []int32{2, 5, 0, 4, 7, 5, 1, 0, 7, 2, 1, 4}; !slices.Equal(first, want) {
		t.Errorf("seed 1, row 0: %v, want %v", first, want)
	}
	if !slices.Equal(first, draw(1, 0, 1)) {
		t.Error("the same seed and row gave another text")
	}
	otherRow, otherSeed := draw(1, 1, 1), draw(2, 0, 1)
	if slices.Equal(first, otherRow) || slices.Equal(first, otherSeed) || slices.Equal(otherRow, otherSeed) {
		t.Error("rows or seeds have the same random numbers")
	}
}

func TestSampleDiverged(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, logits := range [][]float32{{nan, 1}, {1, nan}, {0, inf}, {-inf, -inf}} {
		for _, temperature := range []float64{0, 1} {
			if id, err := newSampler(GenerateOptions{Temperature: temperature}, 0).next(logits); err == nil {
				t.Errorf("%v at temperature %g: token %d, want an error", logits, temperature, id)
			}
		}
	}
}
