package evaluate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/datasets"
	"github.com/bfpo-go/bfpo/internal/fixture"
	"github.com/bfpo-go/bfpo/mistral"
)

// tinyEncoder is that of the built-in model, whose tokenizer adds nothing and names <s> and </s>.
func tinyEncoder(t testing.TB) (*mistral.Checkpoint, Encoder) {
	t.Helper()
	checkpoint, err := mistral.Open(mistral.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	tokenizer, err := datasets.NewTokenizer(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint, Encoder{Tokenizer: tokenizer, MaxLength: checkpoint.Config.MaxPositionEmbeddings}
}

// mistralEncoder has the tokenizer of Mistral, which puts BOS before a text.
func mistralEncoder(t testing.TB) Encoder {
	t.Helper()
	dir := fixture.Mistral(t)
	tokenizer, err := datasets.NewTokenizer(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if err != nil {
		t.Fatal(err)
	}
	return Encoder{Tokenizer: tokenizer, MaxLength: 64}
}

func TestPair(t *testing.T) {
	e := mistralEncoder(t)
	encode := func(text string) []int32 { return e.Tokenizer.Encode(text, true) }
	for _, c := range []struct {
		name, context, continuation string
		head, tail                  []int32
	}{
		{"BOS once", "The cat", " sat", encode("The cat"), encode("The cat sat")[len(encode("The cat")):]},
		{"the blank moves over", "The cat  ", "sat", encode("The cat"), encode("The cat  sat")[len(encode("The cat")):]},
		// One token spans the boundary: what is cut off is as long as the context, whatever the tokens are.
		{"cut by count", "The ca", "tch", encode("The ca"), encode("The catch")[min(len(encode("The ca")), len(encode("The catch"))):]},
		{"no context", "", "The cat", []int32{1}, e.Tokenizer.Encode("The cat", false)},
		{"no context, BOS written out", "", "<s>The cat", []int32{1}, e.Tokenizer.Encode("<s>The cat", false)[1:]},
		{"BOS written out", "<s>The cat", " sat", e.Tokenizer.Encode("<s>The cat", false),
			e.Tokenizer.Encode("<s>The cat sat", false)[len(e.Tokenizer.Encode("<s>The cat", false)):]},
	} {
		s, err := e.Pair(c.context, c.continuation)
		if err != nil || !slices.Equal(s.PromptIDs, c.head) || !slices.Equal(s.ResponseIDs, c.tail) {
			t.Errorf("%s: %v, error %v, want %v and %v", c.name, s, err, c.head, c.tail)
		}
	}
}

func TestPairTooLong(t *testing.T) {
	_, e := tinyEncoder(t)
	whole, err := e.Pair("one two three four five", " six")
	if err != nil {
		t.Fatal(err)
	}
	n := len(whole.PromptIDs) + len(whole.ResponseIDs)
	e.MaxLength = n - 1 // the last token is not read
	if s, err := e.Pair("one two three four five", " six"); err != nil || len(s.PromptIDs) != len(whole.PromptIDs) {
		t.Errorf("%v, error %v: nothing had to be cut", s, err)
	}
	e.MaxLength = n - 3
	s, err := e.Pair("one two three four five", " six")
	if err != nil || !slices.Equal(s.PromptIDs, whole.PromptIDs[2:]) || !slices.Equal(s.ResponseIDs, whole.ResponseIDs) {
		t.Errorf("%v, error %v, want %v cut by 2", s, err, whole)
	}
	e.MaxLength = 2
	if _, err := e.Pair("one", " two three four five"); err == nil || !strings.Contains(err.Error(), "longer than the model has positions (2)") {
		t.Errorf("an answer that does not fit gives %v", err)
	}
}

func TestPrompt(t *testing.T) {
	_, e := tinyEncoder(t)
	whole, err := e.Prompt("one two three four five", 10)
	if err != nil || !slices.Equal(whole, e.Tokenizer.Encode("one two three four five", true)) {
		t.Errorf("%v, error %v", whole, err)
	}
	e.MaxLength = len(whole) + 10 - 2
	if ids, err := e.Prompt("one two three four five", 10); err != nil || !slices.Equal(ids, whole[2:]) {
		t.Errorf("%v, error %v, want %v", ids, err, whole[2:])
	}
	if _, err := e.Prompt("one", e.MaxLength); err == nil {
		t.Error("an answer as long as the model fits")
	}
	if ids, err := e.Prompt("", 1); err != nil || len(ids) == 0 {
		t.Errorf("no prompt: %v, error %v", ids, err)
	}
}

// With a chat template the context is a user's message, and no blank stands before the answer.
func TestChatDocument(t *testing.T) {
	_, e := tinyEncoder(t)
	var err error
	if e.Template, err = datasets.NewTemplate(datasets.ZephyrTemplate, "<s>", "</s>"); err != nil {
		t.Fatal(err)
	}
	task := Task{Output: MultipleChoice, Delimiter: " "}
	d := Document{Contexts: []string{"Why?"}, Continuations: []string{" no", " yes"}}
	got, err := e.document(task, d)
	const context = "<|user|>\nWhy?</s>\n<|assistant|>\n"
	if err != nil || got.contexts[0] != context {
		t.Fatalf("%q, error %v", got.contexts, err)
	}
	want, err := e.Pair(context, "yes")
	if err != nil || !slices.Equal(got.sequences[1].ResponseIDs, want.ResponseIDs) || !slices.Equal(e.continuations(task, d), []string{"no", "yes"}) {
		t.Errorf("%v, error %v, want %v", got.sequences[1], err, want)
	}
}

func TestDocuments(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(`{"q": "a", "gold": 1, "c": ["1", "0"], "keep": true}
{"q": "b", "gold": 0, "c": ["1", "0"], "keep": false}
{"q": "7", "gold": "0", "c": ["1", "0"], "keep": 1}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	task, err := readText("task: x\nlocal: [no*, 'rows.*']\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\n" +
		"doc_to_target: gold\ndoc_to_choice: c\nwhere: keep\ntarget_delimiter: ': '\nmetric_list: [{metric: acc}]\n")
	if err != nil {
		t.Fatal(err)
	}
	documents, total, err := Data{Dir: dir}.Documents(t.Context(), task, 0)
	if err != nil || total != 2 || len(documents) != 2 {
		t.Fatalf("%+v, %d, error %v", documents, total, err)
	}
	// A number counts, a text is looked for; a text of digits in a column is no number of a choice.
	if d := documents[0]; d.Gold != 1 || d.Contexts[0] != "a" || d.Continuations[0] != ": 1" || d.Choices[1] != "0" {
		t.Errorf("%+v", d)
	}
	if d := documents[1]; d.ID != 1 || d.Gold != 1 || d.Contexts[0] != "7" {
		t.Errorf("%+v", d)
	}
	if documents, total, err := (Data{Dir: dir}).Documents(t.Context(), task, 1); err != nil || total != 2 || len(documents) != 1 {
		t.Errorf("%d of %d, error %v", len(documents), total, err)
	}
	for key, want := range map[string]string{"doc_to_target: gold": "no column golds", "where: keep": "no column keeps", "doc_to_choice: c": "no column cs"} {
		bad, err := readText("task: x\nlocal: rows.jsonl\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: q\n" +
			strings.Replace("doc_to_target: gold\ndoc_to_choice: c\nwhere: keep\n", key, key+"s", 1) + "metric_list: [{metric: acc}]\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := (Data{Dir: dir}).Documents(t.Context(), bad, 0); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "rows.jsonl, row 0") {
			t.Errorf("%ss: error %v, want one with %q and the row", key, err, want)
		}
	}
	if _, _, err := (Data{}).Documents(t.Context(), task, 0); err == nil || !strings.Contains(err.Error(), "-data=DIR") {
		t.Errorf("no data folder: %v", err)
	}
}
