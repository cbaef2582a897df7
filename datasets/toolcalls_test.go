package datasets

import (
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
	template, err := chat.NewTemplate(source, "", "")
	if err != nil {
		t.Fatal(err)
	}
	blind, err := chat.NewTemplate(chat.ZephyrTemplate, "", "")
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
