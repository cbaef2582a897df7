package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

// TestToolCalls checks that templates see calls of tools with their keys in order, and that one that does not read them
// is refused.
func TestToolCalls(t *testing.T) {
	const call = `{"role": "assistant", "content": null, "tool_calls": [{"function": {"arguments": {"z": 1, "a": 2.0}}}]}`
	const line = `{"id": 1, "messages": [{"role": "user", "content": "Q"}, ` + call + `]}`
	const source = `{% for m in messages %}{{ m.tool_calls|tojson if m.tool_calls else m.content }};{% endfor %}`
	const want = `Q;[{"function": {"arguments": {"z": 1, "a": 2.0}}}];`
	template, err := chat.NewTemplate(source, nil)
	if err != nil {
		t.Fatal(err)
	}
	blind, err := chat.NewTemplate(chat.ZephyrTemplate, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{line + "\n\n" + line, "[" + line + ",\n " + line + "]"} {
		file := filepath.Join(t.TempDir(), "train.jsonl")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		rows, _, err := Mixture{Sets: []MixtureSet{{file, 1}}, Split: "train"}.ReadDialogues(t.Context())
		if err != nil || len(rows) != 2 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, row := range rows {
			if text, err := template.Render(t.Context(), chat.Dialogue{Messages: row.Messages}); err != nil || text != want {
				t.Errorf("%q, %v, want %q", text, err, want)
			}
			_, err := blind.Render(t.Context(), chat.Dialogue{Messages: row.Messages})
			if err == nil || !strings.Contains(err.Error(), "tool_calls") {
				t.Errorf("a template that drops tool_calls: %v", err)
			}
		}
	}
	older := chat.Message{}
	err = older.UnmarshalJSON([]byte(`{"role": "assistant", "content": "", "function_call": {"name": "f"}}`))
	if err != nil || older.IsBlank() {
		t.Errorf("a call of a function is blank, or %v", err)
	}
	_, err = blind.Render(t.Context(), chat.Dialogue{Messages: []chat.Message{older}})
	if err == nil || !strings.Contains(err.Error(), "message 0 has function_call, which the template does not read") {
		t.Errorf("a template that drops function_call: %v", err)
	}
	prompt, err := ParsePrompt([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := template.Render(t.Context(), chat.Dialogue{Messages: prompt.Messages}); err != nil || text != want {
		t.Errorf("%q, %v", text, err)
	}
}

// TestToolCallsAsText checks that a column of JSON text whose messages call tools is read as messages.
func TestToolCallsAsText(t *testing.T) {
	const text = `[{"role": "user", "content": "Q"}, {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]`
	r := row{"messages": text}
	parsed, err := r.parseMessages("messages")
	if err != nil || len(parsed) != 1 {
		t.Fatalf("columns %v, %v", parsed, err)
	}
	if messages, err := r.messages("messages"); err != nil || len(messages) != 2 {
		t.Errorf("%v, %v", messages, err)
	}
}

// TestRefusedByTemplate checks that a row that the template refuses is dropped and counted with the template's words,
// and that many such rows, or one with Strict, are an error.
func TestRefusedByTemplate(t *testing.T) {
	const source = `{% for m in messages %}{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}` +
		`<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`
	template, err := chat.NewTemplate(source, nil)
	if err != nil {
		t.Fatal(err)
	}
	format := TextFormat{Tokenizer: mistralTokenizer(t), Template: template}
	row := func(i int, role string) Preference {
		return Preference{ID: fmt.Sprint("f#", i), Prompt: []chat.Message{{Role: role, Content: "Q"}},
			Chosen:   []chat.Message{{Role: "assistant", Content: "a"}},
			Rejected: []chat.Message{{Role: "assistant", Content: "b"}}}
	}
	tests := []struct {
		refused, rows int
		strict        bool
		want          string // the error; "" where the rows are dropped
	}{
		{1, 3, false, ""},
		{9, 10, false, ""},
		{10, 100, false, ""},
		{11, 100, false, "row f#0: chat template: no tools (the chat template refuses 11 of 100 rows"},
		{2, 2, false, "refuses 2 of 2 rows"},
		{1, 1, false, "row f#0: chat template: no tools"},
		{1, 3, true, "no tools (set bad_rows: drop to leave such rows out)"},
	}
	for _, test := range tests {
		var rows []Preference
		var dialogues []Dialogue
		for i := range test.rows {
			role := "user"
			if i < test.refused {
				role = "tool"
			}
			p := row(i, role)
			rows = append(rows, p)
			dialogues = append(dialogues, Dialogue{ID: p.ID, Messages: append(p.Prompt, p.Chosen...)})
		}
		format.Strict = test.strict
		pairs, drops, err := format.TokenizePreferences(t.Context(), rows)
		checkRefused(t, len(pairs), drops, err, test.rows, test.refused, test.want)
		documents, drops, err := format.TokenizeDialogues(t.Context(), dialogues)
		checkRefused(t, len(documents), drops, err, test.rows, test.refused, test.want)
	}
}

func checkRefused(t *testing.T, used int, drops Drops, err error, rows, refused int, want string) {
	t.Helper()
	const reason = "refused by the chat template (the first: no tools)"
	switch {
	case want != "":
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d of %d: %v, want %q", refused, rows, err, want)
		}
	case err != nil || used != rows-refused || len(drops.Dropped[reason]) != refused:
		t.Errorf("%d of %d: %d used, drops %v, error %v", refused, rows, used, drops.Dropped, err)
	}
}
