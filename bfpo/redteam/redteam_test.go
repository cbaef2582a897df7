package redteam

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
)

// Which questions are held out depends on their text alone.
func TestHoldOut(t *testing.T) {
	var questions []string
	for i := range 50 {
		questions = append(questions, fmt.Sprint("question ", i))
	}
	held := holdOut(questions, 0.1)
	if len(held) != 5 {
		t.Errorf("%d held out of 50, want 5", len(held))
	}
	reversed := append(slices.Clone(questions), questions...) // each twice
	slices.Reverse(reversed)
	if diff := cmp.Diff(held, holdOut(reversed, 0.1)); diff != "" {
		t.Errorf("another order, each twice: %s", diff)
	}
	for n, want := range []int{0, 0, 1, 1} { // never all, and one of two or more
		if got := len(holdOut(questions[:n], 0.1)); got != want {
			t.Errorf("%d of %d held out, want %d", got, n, want)
		}
	}
	if got := len(holdOut(questions, 0)); got != 0 {
		t.Errorf("%d held out without a share", got)
	}
	if got := len(holdOut(questions[:3], 0.99)); got != 2 {
		t.Errorf("%d of 3 held out, want 2", got)
	}
}

func TestPairOf(t *testing.T) {
	answer := func(text string, safe bool, degree float64) judgedAnswer {
		return judgedAnswer{Answer: text, Judged: true, Safe: safe, degree: degree}
	}
	unsafe, safe, safer := answer("sure", false, -2), answer(" no ", true, 1), answer("never", true, 2)
	unjudged := judgedAnswer{Answer: "well"}
	for _, c := range []struct {
		a, b   judgedAnswer
		rank   bool
		better int
		reason string
	}{
		{safe, unsafe, false, 1, ""},
		{unsafe, safe, false, 2, ""},
		{safe, safer, true, 2, ""},
		{safer, safe, true, 1, ""},
		{safe, safer, false, 0, bothSafe},
		{safe, answer("nope", true, 1), true, 0, bothAlike},
		{unsafe, answer("of course", false, 0), true, 0, bothUnsafe},
		{safe, unjudged, true, 0, noVerdict},
		{safe, answer("no", false, 0), true, 0, sameAnswer},
		{safe, answer(" \n", false, 0), true, 0, noAnswer},
	} {
		row, reason := pairOf("why?", c.a, c.b, c.rank)
		if row.Better != c.better || reason != c.reason {
			t.Errorf("%+v and %+v: better %d, %q; want %d, %q", c.a, c.b, row.Better, reason, c.better, c.reason)
		}
		if reason == "" && (row.Safe1 != c.a.Safe || row.Safe2 != c.b.Safe || row.Prompt != "why?" || row.Output1 == "" || row.Output1 == " no ") {
			t.Errorf("row %+v", row)
		}
	}
}

func TestQuestionsOf(t *testing.T) {
	user := func(text string) chat.Message { return chat.Message{Role: "user", Content: text} }
	unused := map[string]int{}
	got := questionsOf([]datasets.Prompt{
		{Text: "a"}, {Messages: []chat.Message{user("b")}}, {Messages: []chat.Message{user("a")}}, {Text: " "},
		{Messages: []chat.Message{user("c"), {Role: "assistant", Content: "d"}, user("e")}},
	}, unused)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{askedBefore: 1, noQuestion: 1, noMessage: 1}, unused); diff != "" {
		t.Error(diff)
	}
}
