package datasets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnreadQuestion checks that columns which may hold a part of the question, and are not read, are named.
func TestUnreadQuestion(t *testing.T) {
	for text, want := range map[string]string{
		`{"system": "s", "question": "q", "chosen": "It A", "rejected": "It B", "id": 1}`: "not read: question, system;",
		`{"prompt": "q", "chosen": "a", "rejected": "b", "Image": "x"}`:                   "not read: Image;",
		`{"prompt": "q", "chosen": "a", "rejected": "b", "source": "x"}`:                  "",
	} {
		file := filepath.Join(t.TempDir(), "train.jsonl")
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		_, counts, err := Mixture{Sets: []MixtureSet{{file, 1}}, Split: "train"}.ReadPreferences(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(counts[0].Notes, "\n")
		if found := strings.Contains(notes, "may belong to the question"); found != (want != "") ||
			!strings.Contains(notes, want) {
			t.Errorf("%s: %q, want %q", text, notes, want)
		}
	}
}

// TestMessagesAndText checks that rows of which only one of two texts is used are named.
func TestMessagesAndText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "train.jsonl")
	const dialogue = `"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]`
	rows := "{" + dialogue + "}\n{" + dialogue + `, "text": "q a"}` + "\n"
	if err := os.WriteFile(file, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	dialogues, counts, err := Mixture{Sets: []MixtureSet{{file, 1}}, Split: "train"}.ReadDialogues(t.Context())
	want := "rows with both messages and text: 1; messages are used"
	if err != nil || len(dialogues) != 2 || dialogues[1].Messages == nil || len(counts[0].Notes) != 1 ||
		!strings.HasPrefix(counts[0].Notes[0], want) {
		t.Errorf("%v, notes %q, %v", dialogues, counts[0].Notes, err)
	}
}

// TestUnaskedPrompt counts rows of dialogues whose column prompt is none of their questions.
func TestUnaskedPrompt(t *testing.T) {
	dialogue := func(prompt, answer string) string {
		return `[{"role": "user", "content": "` + prompt + `"}, {"role": "assistant", "content": "` + answer + `"}]`
	}
	row := func(prompt string) string {
		return `{"prompt": "` + prompt + `", "chosen": ` + dialogue("q", "a") + `, "rejected": ` + dialogue("q", "b") + "}\n"
	}
	file := filepath.Join(t.TempDir(), "train.jsonl")
	parts := strings.ReplaceAll(row("q"), `"content": "q"`, `"content": [{"type": "text", "text": "q"}]`)
	if err := os.WriteFile(file, []byte(row("q ")+row("another")+parts), 0o644); err != nil {
		t.Fatal(err)
	}
	pairs, counts, err := Mixture{Sets: []MixtureSet{{file, 1}}, Split: "train"}.ReadPreferences(t.Context())
	if err != nil || len(pairs) != 3 || len(counts[0].Notes) != 1 ||
		!strings.HasPrefix(counts[0].Notes[0], "rows whose column prompt is no message of chosen and rejected: 1;") {
		t.Errorf("%d pairs, notes %q, %v", len(pairs), counts[0].Notes, err)
	}
}
