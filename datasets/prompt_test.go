package datasets

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bfpo-go/bfpo/datasets/chat"
)

func TestPrompts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"lines.txt": "How do I?\nShould I?\n",
		"rows.jsonl": `{"prompt": "How do I?", "other": 1}` + "\n" +
			`{"messages": [{"role": "user", "content": "Should I?"}]}` + "\n",
		"bad.jsonl": `{"question": "How?"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string][]Prompt{
		"lines.txt":  {{Text: "How do I?"}, {Text: "Should I?"}},
		"rows.jsonl": {{Text: "How do I?"}, {Messages: []chat.Message{{Role: "user", Content: "Should I?"}}}},
	} {
		got, err := ReadPrompts(context.Background(), name, dir, nil)
		for i := range got {
			if !strings.Contains(got[i].ID, name) {
				t.Errorf("%s: the ID of row %d is %q", name, i, got[i].ID)
			}
			got[i].ID = ""
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for name, want := range map[string]string{"bad.jsonl": "line 1", "none.txt": "no such file"} {
		if _, err := ReadPrompts(context.Background(), name, dir, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	for line, want := range map[string]string{
		"How do I?":       `want JSON: {"messages": [{"role": "user", "content": "…"}]} (with the chat template) or `,
		`{"prmpt": "a"}`:  `or {"prompt": "…"} (without), got the columns {prmpt}`,
		`{"prompt": "a",`: "want JSON: ",
	} {
		if _, err := ParsePrompt([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", line, err, want)
		}
	}
}
