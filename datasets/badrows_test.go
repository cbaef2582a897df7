package datasets

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/rowfile"
	"github.com/bfpo-go/bfpo/graph/fuzztest"
)

// readText reads a .jsonl file of the given lines as preferences.
func readText(t *testing.T, lines string, m Mixture) ([]Preference, SetCount, error) {
	t.Helper()
	m.BaseFolder = writeFiles(t, map[string]string{"a.jsonl": lines})
	m.Sets, m.Split = []MixtureSet{{"a.jsonl", 1}}, "train"
	rows, counts, err := m.ReadPreferences(context.Background())
	if err != nil {
		return nil, SetCount{}, err
	}
	return rows, counts[0], nil
}

// TestBadRows checks which rows are dropped, under which reason, and when a file is refused for them.
func TestBadRows(t *testing.T) {
	const sound = `{"prompt": "q", "chosen": "a", "rejected": "b"}` + "\n"
	const malformed = `{"prompt": "q", "chosen": 1, "rejected": "b"}` + "\n"
	for _, test := range []struct {
		name, lines string
		drops       map[string]int
		err         string // where malformed rows are dropped
		strict      string // where they are refused
	}{
		{"wrong type", sound + malformed, map[string]int{DropMalformed: 1}, "",
			"line 2: read as plain: column chosen: want text"},
		{"no object", sound + "7\nnull\n[]\n", map[string]int{DropMalformed: 3}, "", "line 2: want a JSON object {…}"},
		{"missing column", sound + `{"prompt": "q", "rejected": "b"}`, map[string]int{DropMalformed: 1}, "",
			"line 2: it has no column chosen, only {prompt, rejected}"},
		{"lone surrogate", sound + `{"prompt": "\udc00", "chosen": "a", "rejected": "b"}`,
			map[string]int{DropNotUnicode: 1}, "", `line 2: read as plain: column prompt: text that is not Unicode: the lone`},
		{"not UTF-8", sound + "{\"prompt\": \"q\", \"chosen\": \"\xe9\", \"rejected\": \"b\"}",
			map[string]int{DropNotUnicode: 1}, "", "line 2: read as plain: column chosen: text that is not Unicode: bytes"},
		{"NaN", sound + `{"prompt": NaN, "chosen": "a", "rejected": "b"}`, map[string]int{DropMalformed: 1}, "",
			"line 2: read as plain: column prompt: want text, have NaN"},
		{"NaN elsewhere", strings.Replace(sound, "{", `{"x": NaN, "y": "\ud800", `, 1), nil, "", ""},
		{"empty lists", sound + `{"prompt": [], "chosen": [], "rejected": []}` + "\n" +
			`{"prompt": [{"role": "user", "content": "q"}], "chosen": [], "rejected": []}`,
			map[string]int{DropNoPrompt: 1, DropEmpty: 1}, "", ""},
		{"nothing sound", malformed + malformed, nil,
			"line 1: read as plain: column chosen: want text, have 1 (the first of the file's 2 rows, which are all malformed",
			"line 1"},
		{"many", strings.Repeat(sound, 80) + strings.Repeat(malformed, 10), nil,
			"line 81: read as plain: column chosen: want text, have 1 (10 of the file's 90 rows are malformed; up to 10 %",
			"line 81"},
		{"a tenth", strings.Repeat(sound, 90) + strings.Repeat(malformed, 10), map[string]int{DropMalformed: 10}, "",
			"line 91"},
		{"very many", sound + strings.Repeat("0\n", 50_000) + "not read any more", nil,
			"line 2: want a JSON object {…}, have JSON of type number (10000 of the file's first 10001 rows are malformed)",
			"line 2"},
		{"damaged", sound + `{"prompt": "q", "chosen`, nil, "line 2: not a complete JSON object", "line 2"},
	} {
		for strict, want := range map[bool]string{false: test.err, true: test.strict} {
			rows, count, err := readText(t, test.lines, Mixture{Strict: strict})
			if want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, strict %t: error %v, want %q", test.name, strict, err, want)
			}
			if err != nil {
				continue
			}
			drops := map[string]int{}
			for reason, ids := range count.Drops.Dropped {
				drops[reason] = len(ids)
			}
			if len(drops)+len(test.drops) > 0 && !maps.Equal(drops, test.drops) || len(rows)+count.Drops.Total() != count.Rows {
				t.Errorf("%s: %d rows of %d, drops %v, want %v", test.name, len(rows), count.Rows, drops, test.drops)
			}
			if n := drops[DropMalformed] + drops[DropNotUnicode]; len(count.Notes) != min(n, 3) {
				t.Errorf("%s: notes %q for %d rows", test.name, count.Notes, n)
			}
		}
	}
}

// TestFractionOfBadRows checks that a fraction counts the rows of the file, and that rows beyond it are not drops.
func TestFractionOfBadRows(t *testing.T) {
	const sound, empty = `{"text": "a"}` + "\n", `{"text": 7}` + "\n"
	dir := writeFiles(t, map[string]string{"a.jsonl": sound + empty + sound + empty})
	m := Mixture{Sets: []MixtureSet{{"a.jsonl", 0.5}}, Split: "train", BaseFolder: dir}
	rows, counts, err := m.ReadDialogues(context.Background())
	if err != nil || len(rows) != 1 || counts[0].Used != 2 || counts[0].Drops.Total() != 1 {
		t.Errorf("rows %v, %+v, %v", rows, counts, err)
	}
}

// TestImplicitPrompts checks that the common beginning of two dialogues or texts is the prompt, as TRL's extract_prompt
// finds it.
func TestImplicitPrompts(t *testing.T) {
	user := func(text string) chat.Message { return chat.Message{Role: "user", Content: text} }
	answer := func(text string) chat.Message { return chat.Message{Role: "assistant", Content: text} }
	dialogue := func(messages ...chat.Message) string {
		list := []map[string]string{}
		for _, m := range messages {
			list = append(list, map[string]string{"role": m.Role, "content": m.Content})
		}
		text, _ := json.Marshal(list)
		return string(text)
	}
	for _, test := range []struct {
		chosen, rejected string // in JSON
		want             Preference
		err              string
	}{
		{dialogue(user("q"), answer("a"), user("r"), answer("c")), dialogue(user("q"), answer("b")), Preference{
			Prompt: []chat.Message{user("q")}, Chosen: []chat.Message{answer("a"), user("r"), answer("c")},
			Rejected: []chat.Message{answer("b")}}, ""},
		{dialogue(user("q"), answer("a")), dialogue(user("q"), answer("a")), Preference{}, DropIdentical},
		{dialogue(user("q"), answer("a")), dialogue(user("p"), answer("a")), Preference{}, DropNoCommon},
		{dialogue(user("q"), answer("a"), user("r"), answer("c")), dialogue(user("q"), answer("a"), user("s"), answer("c")),
			Preference{}, DropOtherUser},
		{dialogue(), dialogue(user("q"), answer("a")), Preference{}, DropEmpty},
		{`"Q: é A: yes"`, `"Q: é A: no"`, Preference{PromptText: "Q: é A:", ChosenText: " yes", RejectedText: " no"}, ""},
		{`"Q:yes"`, `"Q:no"`, Preference{PromptText: "Q:", ChosenText: "yes", RejectedText: "no"}, ""},
		{`"é1"`, `"è1"`, Preference{}, DropNoCommon},
		{`"ab"`, `"abc"`, Preference{PromptText: "a", ChosenText: "b", RejectedText: "bc"}, ""},
		{`"ab"`, `"ab"`, Preference{}, DropIdentical},
		{`""`, `"ab"`, Preference{}, DropEmpty},
		{dialogue(user("q"), answer("a")), `"text"`, Preference{}, "column rejected: want a list"},
	} {
		r := parseRow(t, fmt.Sprintf(`{"chosen": %s, "rejected": %s}`, test.chosen, test.rejected))
		have, err := readExample(preferenceSchemas(), r)
		if test.err == "" {
			test.want.ChosenSafe, test.want.RejectedSafe, test.want.Unlabelled = true, true, 2
		}
		if diff := cmp.Diff(test.want, have); diff != "" && test.err == "" {
			t.Errorf("%s and %s (-want +have):\n%s", test.chosen, test.rejected, diff)
		}
		if test.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s and %s: error %v, want %q", test.chosen, test.rejected, err, test.err)
		}
	}
}

// TestMixedLayouts checks rows of messages and texts in one: those that have a meaning are read, the others refused.
func TestMixedLayouts(t *testing.T) {
	const q, a = `[{"role": "user", "content": "q"}]`, `[{"role": "assistant", "content": "a"}]`
	const whole = `[{"role": "user", "content": "q"}, {"role": "assistant", "content": "b"}]`
	for _, test := range []struct{ prompt, chosen, rejected, want string }{
		{q, `[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]`, whole, ""},
		{q, `"a"`, `"b"`, "prompt is a list of messages and chosen is text"},
		{`"q"`, a, `[{"role": "assistant", "content": "b"}]`, "prompt is text, and chosen a list of messages without it"},
		{`"q"`, `"a"`, whole, "column rejected: want text, have a list of 2"},
	} {
		r := parseRow(t, fmt.Sprintf(`{"prompt": %s, "chosen": %s, "rejected": %s}`, test.prompt, test.chosen, test.rejected))
		p, err := readExample(preferenceSchemas(), r)
		if test.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q", test, err, test.want)
		}
		if err == nil && (len(p.Prompt) != 1 || len(p.Chosen) != 1 || p.Chosen[0].Content != "a") {
			t.Errorf("%v: %+v", test, p)
		}
	}
}

// TestSafetyLabels checks how labels are read, and which columns are noticed where none is read.
func TestSafetyLabels(t *testing.T) {
	for text, want := range map[string]string{
		"true": "true", "false": "false", `"true"`: "true", `"FALSE"`: "false", `"safe"`: "true", `"Unsafe"`: "false",
		"1": "true", "0.0": "false", `"0"`: "false", "null": "none", "2": "error", `"maybe"`: "error", `""`: "error",
		"NaN": "error", "[true]": "error",
	} {
		line := fmt.Sprintf(`{"prompt": "q", "chosen": "a", "rejected": "b", "is_chosen_safe": %s}`, text) + "\n"
		rows, _, err := readText(t, line, Mixture{})
		have := "error"
		if err == nil {
			if have = fmt.Sprint(rows[0].ChosenSafe); rows[0].Unlabelled == 2 {
				have = "none"
			}
		}
		if have != want {
			t.Errorf("label %s is read as %s, want %s (%v)", text, have, want, err)
		}
	}
	row := func(names ...string) string {
		text := `{"prompt": "q", "chosen": "a", "rejected": "b"`
		for _, name := range names {
			text += fmt.Sprintf(`, %q: true`, name)
		}
		return text + "}\n"
	}
	lookalikes := []string{"is_chosen_harmful", "is_safe", "label", "safe_chosen", "unsafe", "chosen_is_safe",
		"chosen-safety"}
	_, count, err := readText(t, row(append(lookalikes, "source", "safely", "score_chosen")...), Mixture{})
	slices.Sort(lookalikes)
	if err != nil || len(count.Notes) != 1 || !strings.Contains(count.Notes[0], ": "+strings.Join(lookalikes, ", ")+";") {
		t.Errorf("notes %q, %v", count.Notes, err)
	}
	_, count, err = readText(t, row("is_safe", "is_chosen_safe", "is_rejected_safe"), Mixture{})
	if err != nil || len(count.Notes) != 0 {
		t.Errorf("a labelled row: notes %q, %v", count.Notes, err)
	}
}

// TestMessagesInText checks columns whose texts are lists of messages.
func TestMessagesInText(t *testing.T) {
	for text, want := range map[string]string{
		`[{"role": "user", "content": "q"}]`:           "messages",
		" [ {\n\"content\": \"q\", \"role\": \"a\"}] ": "messages",
		`[{"role": "user", "content": "q"}`:            "it begins like a list of messages in JSON",
		`[{'role': 'user', 'content': 'q'}]`:           "as Python prints it",
		`[{"role": "user", "content": "\ud800"}]`:      "not Unicode",
		`[1, 2]`:      "text",
		`[]`:          "text",
		`[{"a": 1}]`:  "text",
		`[see above]`: "text",
	} {
		r := row{"prompt": text}
		parsed, err := r.parseMessages("prompt", "chosen")
		have := "text"
		if err != nil {
			have = err.Error()
		} else if len(parsed) > 0 && r.isList("prompt") {
			have = "messages"
		}
		if !strings.Contains(have, want) {
			t.Errorf("%s: %s, want %s", text, have, want)
		}
	}
	line, _ := json.Marshal(map[string]string{"prompt": `[{"role": "user", "content": "Hi?"}]`,
		"chosen": `[{"role": "assistant", "content": "Yes."}]`, "rejected": `[{"role": "assistant", "content": "No."}]`})
	rows, count, err := readText(t, string(line), Mixture{})
	if err != nil || len(rows) != 1 || rows[0].Prompt[0].Content != "Hi?" || len(count.Notes) != 3 {
		t.Errorf("rows %v, notes %q, %v", rows, count.Notes, err)
	}
	prompt, err := ParsePrompt([]byte(`{"prompt": "[{\"role\": \"user\", \"content\": \"Hi?\"}]"}`))
	if err != nil || len(prompt.Messages) != 1 {
		t.Errorf("prompt %+v, %v", prompt, err)
	}
	if _, err := ParsePrompt([]byte(`{"prompt": "\ud800"}`)); err == nil {
		t.Error("a prompt with a lone surrogate is accepted")
	}
}

// TestTextColumn checks dataset_text_field.
func TestTextColumn(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.jsonl": `{"text": "one", "content": "two", "messages": []}`})
	m := Mixture{Sets: []MixtureSet{{"a.jsonl", 1}}, Split: "train", BaseFolder: dir, TextColumn: "content"}
	rows, _, err := m.ReadDialogues(context.Background())
	if err != nil || len(rows) != 1 || rows[0].Text != "two" {
		t.Errorf("rows %v, %v", rows, err)
	}
	m.TextColumn = "body"
	_, _, err = m.ReadDialogues(context.Background())
	if err == nil || !strings.Contains(err.Error(), "dataset_text_field {body}") {
		t.Errorf("a missing column: %v", err)
	}
}

// TestBlankTexts checks that texts of white space are dropped.
func TestBlankTexts(t *testing.T) {
	format := goldenFormat(t, false)
	text := func(prompt, chosen, rejected string) Preference {
		return Preference{ID: prompt + chosen + rejected, PromptText: prompt, ChosenText: chosen, RejectedText: rejected}
	}
	_, drops, err := format.TokenizePreferences(context.Background(), []Preference{
		text("q", " \n", "b"), text("q", "a", "\t"), text(" ", "a", "b"), question("", "a", "b"), question("q", " ", "b"),
		text("q", "a", "b"),
	})
	if err != nil || len(drops.Dropped[DropEmpty]) != 3 || len(drops.Dropped[DropNoPrompt]) != 2 || drops.Total() != 5 {
		t.Errorf("drops %v, %v", drops, err)
	}
	documents, drops, err := format.TokenizeDialogues(context.Background(), []Dialogue{
		{Messages: []chat.Message{{Role: "user"}, {Role: "assistant", Content: " "}}}, {Text: "\n"}, {Text: "a"},
	})
	if err != nil || len(documents) != 1 || len(drops.Dropped[DropNoText]) != 2 {
		t.Errorf("%d documents, drops %v, %v", len(documents), drops, err)
	}
}

// FuzzLayouts checks that any row becomes an example or an error, and that the texts of rows stay as they are.
func FuzzLayouts(f *testing.F) {
	for _, seed := range []string{
		`{"prompt": "q", "chosen": "a", "rejected": "b", "is_chosen_safe": "unsafe"}`,
		`{"prompt": [{"role": "user", "content": "q"}], "chosen": [{"role": "assistant", "content": "a"}],
		  "rejected": [], "is_chosen_safe": 1}`,
		`{"prompt": "q", "response_0": "a", "response_1": "b", "better_response_id": 1e0, "safer_response_id": 0}`,
		`{"input_ids": [1, 2, 9e99]}`, `{"chosen": "a b", "rejected": "a c"}`,
		`{"chosen": [{"role": "user", "content": "q"}], "rejected": [{"role": "user", "content": "q"}, {}]}`,
		`{"messages": {"list": [{"item": {"role": "", "content": ""}}]}}`, `{"text": "[{\"role\": 1}]"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzztest.Bounded(t, len(data), 10*time.Second, func() {
			object, err := rowfile.ParseObject(data)
			if err != nil {
				return
			}
			r := row(object)
			p, err := readExample(preferenceSchemas(), r)
			if _, isText := r["prompt"].(string); err == nil && p.Prompt == nil && isText && p.PromptText != r["prompt"] {
				t.Errorf("prompt %q is read as %q", r["prompt"], p.PromptText)
			}
			if chosen, ok := r["chosen"].(string); err == nil && ok && !r.has("prompt") && p.PromptText+p.ChosenText != chosen {
				t.Errorf("chosen %q is read as %q and %q", chosen, p.PromptText, p.ChosenText)
			}
			if err == nil && p.Prompt != nil && (len(p.Prompt) == 0 || len(p.Chosen) == 0 || len(p.Rejected) == 0) {
				t.Errorf("%s: a list is empty in %+v", data, p)
			}
			d, err := readExample(dialogueSchemas(""), r)
			if err == nil && d.InputIDs == nil && d.Messages == nil && d.Text != r["text"] {
				t.Errorf("text %q is read as %q", r["text"], d.Text)
			}
			before := fmt.Sprint(r["text"])
			parsed, err := r.parseMessages("text", "prompt")
			if err == nil && len(parsed) == 0 && fmt.Sprint(r["text"]) != before {
				t.Errorf("text %q has become %v", before, r["text"])
			}
		})
	})
}
