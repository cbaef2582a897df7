package redteam

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which questions are held out depends on their text alone.
func TestHoldOut(t *testing.T) {
	var questions []string
	for i := range 50 {
		questions = append(questions, fmt.Sprint("question ", i))
	}
	heldOut := holdOut(questions, 0.1)
	if len(heldOut) != 5 {
		t.Errorf("%d of 50 questions held out, want 5", len(heldOut))
	}
	reversed := append(slices.Clone(questions), questions...) // each twice
	slices.Reverse(reversed)
	if diff := cmp.Diff(heldOut, holdOut(reversed, 0.1)); diff != "" {
		t.Errorf("in reverse order, each question twice: %s", diff)
	}
	for n, want := range []int{0, 0, 1, 1} { // never all questions, and at least one of two or more
		if got := len(holdOut(questions[:n], 0.1)); got != want {
			t.Errorf("%d of %d questions held out, want %d", got, n, want)
		}
	}
	if got := len(holdOut(questions, 0)); got != 0 {
		t.Errorf("%d questions held out with share 0", got)
	}
	if got := len(holdOut(questions[:3], 0.99)); got != 2 {
		t.Errorf("%d of 3 questions held out with share 0.99, want 2", got)
	}
}
