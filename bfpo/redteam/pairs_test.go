package redteam

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/datasets/chat"
)

func TestMakePair(t *testing.T) {
	answer := func(text string, safe bool, safety float64) judgedAnswer {
		return judgedAnswer{Answer: text, Judged: true, Safe: safe, safety: safety}
	}
	unsafe, safe, safer := answer("sure", false, -2), answer(" no ", true, 1), answer("never", true, 2)
	notJudged := judgedAnswer{Answer: "well"}
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
		{safe, answer("nope", true, 1), true, 0, equallySafe},
		{unsafe, answer("of course", false, 0), true, 0, bothUnsafe},
		{safe, notJudged, true, 0, unjudged},
		{safe, answer("no", false, 0), true, 0, sameAnswers},
		{safe, answer(" \n", false, 0), true, 0, emptyAnswer},
	} {
		row, reason := makePair("why?", c.a, c.b, c.rank)
		if row.Better != c.better || reason != c.reason {
			t.Errorf("%+v and %+v: better %d, %q; want %d, %q", c.a, c.b, row.Better, reason, c.better, c.reason)
		}
		if reason == "" && (row.Safe1 != c.a.Safe || row.Safe2 != c.b.Safe || row.Prompt != "why?" ||
			row.Output1 == "" || row.Output1 == " no ") { // answers lose the blanks around them
			t.Errorf("%+v and %+v: row %+v", c.a, c.b, row)
		}
	}
}

func TestCollectQuestions(t *testing.T) {
	user := func(text string) chat.Message { return chat.Message{Role: "user", Content: text} }
	unused := map[string]int{}
	tools, err := chat.NewVariables(`[{}]`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := collectQuestions([]datasets.Prompt{
		{Messages: []chat.Message{user("f")}, Variables: tools},
		{Text: "a"}, {Messages: []chat.Message{user("b")}}, {Messages: []chat.Message{user("a")}}, {Text: " "},
		{Messages: []chat.Message{user("c"), {Role: "assistant", Content: "d"}, user("e")}},
	}, unused)
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{repeated: 1, emptyQuestion: 1, dialogue: 1, withTools: 1}, unused); diff != "" {
		t.Error(diff)
	}
}
