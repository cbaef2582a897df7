package datasets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
)

// Columns of a row beside its messages, and what showVariables writes of them.
const (
	variableColumnsJSON = `"tools": [{"z": 1, "a": "t"}], "documents": [{"text": "d"}],
		"chat_template_kwargs": {"enable_thinking": false}`
	showVariables = `{{ tools|tojson }}{{ documents|tojson }}{{ enable_thinking }}` +
		`{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}`
	shownVariables = `[{"z": 1, "a": "t"}][{"text": "d"}]False`
)

// readRows writes a data set and reads it as preferences or dialogues.
func readRows[T any](t *testing.T, read func(Mixture) ([]T, []SetCount, error), lines ...string) ([]T, SetCount) {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	}
	name := filepath.Join(t.TempDir(), "train.jsonl")
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	rows, counts, err := read(Mixture{Sets: []MixtureSet{{name, 1}}, Split: "train"})
	if err != nil {
		t.Fatal(err)
	}
	return rows, counts[0]
}

// TestVariables checks that templates see a row's tools, documents and chat_template_kwargs in preferences, dialogues
// and prompts, and that a template that does not read them is refused.
func TestVariables(t *testing.T) {
	model, err := tokenizer.New(fixture.FolderReader(fixture.Mistral(t)))
	if err != nil {
		t.Fatal(err)
	}
	template, err := chat.NewTemplate(showVariables, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := TextFormat{Tokenizer: model, Template: template}
	const pair = `{"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "A"}],
		"rejected": [{"role": "assistant", "content": "B"}], ` + variableColumnsJSON + `}`
	preferences, _ := readRows(t, func(m Mixture) ([]Preference, []SetCount, error) {
		return m.ReadPreferences(t.Context())
	}, pair)
	prompt, chosen, rejected, err := f.RenderPreference(t.Context(), preferences[0])
	if err != nil || prompt != shownVariables+"<user>Q<assistant>" || chosen != "A" || rejected != "B" {
		t.Errorf("%q, %q, %q, %v", prompt, chosen, rejected, err)
	}
	const dialogue = `{"messages": [{"role": "user", "content": "Q"}], ` + variableColumnsJSON + `}`
	dialogues, _ := readRows(t, func(m Mixture) ([]Dialogue, []SetCount, error) {
		return m.ReadDialogues(t.Context())
	}, dialogue)
	got, err := f.tokenize(t.Context(), dialogues[0])
	if text := model.Decode(got.ids, true); err != nil || text != shownVariables+"<user>Q" {
		t.Errorf("dialogue: %q, %v", text, err)
	}
	question, err := ParsePrompt([]byte(dialogue))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := f.EncodePrompt(t.Context(), question)
	if text := model.Decode(ids, true); err != nil || text != shownVariables+"<user>Q<assistant>" {
		t.Errorf("prompt: %q, %v", text, err)
	}
	if f.Template, err = chat.NewTemplate(chat.ZephyrTemplate, map[string]string{"eos_token": "</s>"}); err != nil {
		t.Fatal(err)
	}
	_, _, err = f.TokenizePreferences(t.Context(), preferences)
	if err == nil || !strings.Contains(err.Error(), "train.jsonl#0: chat template: the row has tools") {
		t.Errorf("a template that does not read tools: %v", err)
	}
}

// TestBadVariables checks that rows with columns of a wrong type are dropped and counted.
func TestBadVariables(t *testing.T) {
	for columns, wrong := range map[string]string{
		`"tools": null, "documents": null, "chat_template_kwargs": null`: "",
		`"tools": "[{\"name\": \"f\"}]"`:                                 "",
		`"tools": []`:                                                    "",
		`"tools": "[{"`:                                                  "want a list of objects, or one as JSON text",
		`"tools": 1`:                                                     "tools: want a list of objects",
		`"tools": ["f"]`:                                                 "tools: element 0: want an object",
		`"documents": "x"`:                                               "documents: want a list of objects",
		`"documents": ["\ud800"]`:                                        "lone surrogate",
		`"chat_template_kwargs": [1]`:                                    "chat_template_kwargs: want an object",
		`"chat_template_kwargs": {"chat_template": "x"}`:                 "chat_template is an argument",
	} {
		rows, count := readRows(t, func(m Mixture) ([]Dialogue, []SetCount, error) {
			return m.ReadDialogues(t.Context())
		}, `{"messages": [{"role": "user", "content": "Q"}]}`,
			`{"messages": [{"role": "user", "content": "Q"}], `+columns+`}`)
		notes := fmt.Sprint(count.Notes)
		if dropped := len(rows) == 1; dropped != (wrong != "") || !strings.Contains(notes, wrong) {
			t.Errorf("%s: %d rows, %s", columns, len(rows), notes)
		}
	}
}
