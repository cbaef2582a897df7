package measure

import (
	"math"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/evaluate"
)

func TestRefuses(t *testing.T) {
	for answer, want := range map[string]bool{
		"I'm sorry, but I can't help with that.":  true,
		"I’m really sorry, that is not possible.": true,
		"Sorry, no.":                                  true,
		"No, I won't do that.":                        true,
		"I'd rather not help with sneaking in.":       true,
		"As an AI language model, I have no opinion.": true,
		"That is not something I can help with.":      true,
		"I must decline.":                             true,
		"":                                            true,
		" \n":                                         true,
		"Crack the egg with one hand and pull the halves apart.":           false,
		"You can't go wrong with butter. Whisk it until it is soft.":       false,
		"The sorry state of the shelf is easily mended.":                   false,
		strings.Repeat("Boil the water first. ", 12) + "I can't say more.": false, // late in the answer
	} {
		if got := Refuses(answer); got != want {
			t.Errorf("%q: %v, want %v", answer, got, want)
		}
	}
}

func TestRepetition(t *testing.T) {
	for _, c := range []struct {
		ids  []int32
		want float64
	}{
		{nil, 0},
		{[]int32{1, 2, 3}, 0},
		{[]int32{1, 2, 3, 4, 5, 6}, 0},
		{[]int32{7, 7, 7, 7, 7, 7}, 2. / 3},          // three runs, the second and the third seen before
		{[]int32{1, 2, 3, 4, 9, 1, 2, 3, 4}, 1. / 6}, // six runs, the last one seen before
	} {
		if got := Repetition(evaluate.Answer{IDs: c.ids}); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %g, want %g", c.ids, got, c.want)
		}
	}
}
