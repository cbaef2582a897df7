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
		got, _, err := ReadPrompts(context.Background(), name, dir, nil, true)
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
		_, _, err := ReadPrompts(context.Background(), name, dir, nil, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	for line, want := range map[string]string{
		"How do I?":       `want JSON: {"messages": [{"role": "user", "content": "…"}]} (with the chat template) or `,
		`{"prmpt": "a"}`:  `or {"prompt": "…"} (without), got the columns {prmpt}`,
		`{"prompt": "a",`: "want JSON: ",
		`{"prompt": "a", "messages": [{"role": "user", "content": "b"}]}`: "it has both messages and a prompt: give one of",
	} {
		if _, err := ParsePrompt([]byte(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", line, err, want)
		}
	}
}

// TestBadPrompts checks that one malformed row does not refuse a file of prompts, except where bad_rows says so.
func TestBadPrompts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "prompts.jsonl")
	lines := []string{
		`{"prompt": "How?"}`, `{"prompt": 7}`, `{"messages": []}`, `{"messages": "Why?"}`, `{"prompt": "\ud800"}`,
		`{"messages": [{"role": "user", "content": "Why?"}], "tools": 1}`,
		`{"messages": [{"role": "user", "content": "Why?"}]}`,
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	prompts, count, err := ReadPrompts(t.Context(), file, "", nil, false)
	if err != nil || len(prompts) != 2 || !strings.HasSuffix(prompts[1].ID, "#6") || count.Rows != 7 {
		t.Fatalf("%v of %d rows, %v", prompts, count.Rows, err)
	}
	notices := strings.Join(count.DroppedNotices(), "\n")
	for _, want := range []string{
		"4 of 7 rows are not used: malformed row", "1 of 7 rows are not used: text that is not Unicode", "line 2: ",
	} {
		if !strings.Contains(notices, want) {
			t.Errorf("%q is missing in\n%s", want, notices)
		}
	}
	_, _, err = ReadPrompts(t.Context(), file, "", nil, true)
	if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "bad_rows: drop") {
		t.Errorf("bad_rows: refuse: %v", err)
	}
}
