package evaluate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bfpo-go/bfpo/bfpo/evaluate/task"
	"github.com/bfpo-go/bfpo/datasets/chat"
	"github.com/bfpo-go/bfpo/datasets/fixture"
	"github.com/bfpo-go/bfpo/datasets/tokenizer"
	"github.com/bfpo-go/bfpo/mistral/pretrained"
)

// tinyEncoder returns the encoder of the built-in model, whose tokenizer adds no special tokens but names <s> and </s>.
func tinyEncoder(t testing.TB) (*pretrained.Model, Encoder) {
	t.Helper()
	checkpoint, err := pretrained.Open(pretrained.Tiny)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { checkpoint.Close() })
	tokenizer, err := tokenizer.New(checkpoint.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	return checkpoint, Encoder{Tokenizer: tokenizer, MaxLength: checkpoint.Config.MaxPositionEmbeddings}
}

// mistralEncoder returns an encoder with the tokenizer of Mistral, which puts BOS before a text.
func mistralEncoder(t testing.TB) Encoder {
	t.Helper()
	dir := fixture.Mistral(t)
	tokenizer, err := tokenizer.New(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if err != nil {
		t.Fatal(err)
	}
	return Encoder{Tokenizer: tokenizer, MaxLength: 64}
}

func TestEncodePair(t *testing.T) {
	e := mistralEncoder(t)
	encode := func(text string) []int32 { return e.Tokenizer.Encode(text, true) }
	cat, marked := encode("The cat"), e.Tokenizer.Encode("<s>The cat", false)
	ca, catch := encode("The ca"), encode("The catch")
	for _, c := range []struct {
		name, context, continuation string
		head, tail                  []int32
	}{
		{"one BOS", "The cat", " sat", cat, encode("The cat sat")[len(cat):]},
		{"final spaces move to the continuation", "The cat  ", "sat", cat, encode("The cat  sat")[len(cat):]},
		// One token spans the boundary: the split is after as many tokens as the context has, whichever they are.
		{"split by count", "The ca", "tch", ca, catch[min(len(ca), len(catch)):]},
		{"no context", "", "The cat", []int32{1}, e.Tokenizer.Encode("The cat", false)},
		{"no context, BOS in the continuation", "", "<s>The cat", []int32{1}, marked[1:]},
		{"BOS in the context", "<s>The cat", " sat", marked, e.Tokenizer.Encode("<s>The cat sat", false)[len(marked):]},
	} {
		s, err := e.EncodePair(c.context, c.continuation)
		if err != nil || !slices.Equal(s.PromptIDs, c.head) || !slices.Equal(s.ResponseIDs, c.tail) {
			t.Errorf("%s: %v, error %v, want %v and %v", c.name, s, err, c.head, c.tail)
		}
	}
}

func TestEncodePairTooLong(t *testing.T) {
	_, e := tinyEncoder(t)
	const context, continuation = "one two three four five", " six"
	whole, err := e.EncodePair(context, continuation)
	if err != nil {
		t.Fatal(err)
	}
	n := len(whole.PromptIDs) + len(whole.ResponseIDs)
	e.MaxLength = n - 1 // the model does not read the last token
	if s, err := e.EncodePair(context, continuation); err != nil || len(s.PromptIDs) != len(whole.PromptIDs) {
		t.Errorf("%v, error %v: the whole context fits", s, err)
	}
	e.MaxLength = n - 3
	s, err := e.EncodePair(context, continuation)
	if err != nil || !slices.Equal(s.PromptIDs, whole.PromptIDs[2:]) ||
		!slices.Equal(s.ResponseIDs, whole.ResponseIDs) {
		t.Errorf("%v, error %v, want %v without its first 2 tokens", s, err, whole)
	}
	e.MaxLength = 2
	_, err = e.EncodePair("one", " two three four five")
	if err == nil || !strings.Contains(err.Error(), "longer than the model has positions (2)") {
		t.Errorf("a continuation that does not fit gives %v", err)
	}
}

func TestEncodePrompt(t *testing.T) {
	_, e := tinyEncoder(t)
	whole, err := e.EncodePrompt("one two three four five", 10)
	if err != nil || !slices.Equal(whole, e.Tokenizer.Encode("one two three four five", true)) {
		t.Errorf("%v, error %v", whole, err)
	}
	e.MaxLength = len(whole) + 10 - 2
	if ids, err := e.EncodePrompt("one two three four five", 10); err != nil || !slices.Equal(ids, whole[2:]) {
		t.Errorf("%v, error %v, want %v", ids, err, whole[2:])
	}
	if _, err := e.EncodePrompt("one", e.MaxLength); err == nil {
		t.Error("an answer as long as the model's positions leaves room for a prompt")
	}
	if ids, err := e.EncodePrompt("", 1); err != nil || len(ids) == 0 {
		t.Errorf("an empty prompt gives %v, error %v", ids, err)
	}
}

// With a chat template the context is a user's message, and the answer begins without the delimiter.
func TestEncodeDocumentWithTemplate(t *testing.T) {
	_, e := tinyEncoder(t)
	var err error
	tokens := map[string]string{"bos_token": "<s>", "eos_token": "</s>"}
	if e.Template, err = chat.NewTemplate(chat.ZephyrTemplate, tokens); err != nil {
		t.Fatal(err)
	}
	choices := task.Task{Output: task.MultipleChoice, Delimiter: " "}
	d := task.Document{Contexts: []string{"Why?"}, Continuations: []string{" no", " yes"}}
	got, err := e.encodeDocument(t.Context(), choices, d)
	const context = "<|user|>\nWhy?</s>\n<|assistant|>\n"
	if err != nil || got.contexts[0] != context {
		t.Fatalf("%q, error %v", got.contexts, err)
	}
	want, err := e.EncodePair(context, "yes")
	if err != nil || !slices.Equal(got.sequences[1].ResponseIDs, want.ResponseIDs) ||
		!slices.Equal(e.continuations(choices, d), []string{"no", "yes"}) {
		t.Errorf("%v, error %v, want %v", got.sequences[1], err, want)
	}
}
